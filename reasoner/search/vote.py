"""Vote: many independent attempts, answered with what most of them say (self-consistency, Wang et al., 2203.11171,
section 2), or with what weighs most by a verifier's scores (weighted best-of-N, Li et al., 2206.02336, section 3.2).

What makes two attempts one answer is their verdicts' key: for a question the answer itself, for code its behaviour on
probe inputs, or which of the core's own tests it passes. Where visible tests scored, only those attempts vote that none
scores higher than (AlphaCode, Li et al., 2203.07814, section 4.4: filter, then take the largest cluster), so attempts
go on after the first that passes, unless a policy ends them.
"""

from dataclasses import dataclass

from reasoner.completions import Sampling
from reasoner.ledger import Ledger
from reasoner.search.plain import leader
from reasoner.tree import VOTERS, Ballot, Tree
from reasoner.types import Expand, NodeId

_CODET = "self_tests"
"""Votes that weigh their own scores: as many candidates as agree times the tests that they pass is what CodeT ranks by
(Chen et al., 2207.10397, section 2.2)."""


@dataclass(frozen=True)
class Vote:
    """`n` attempts; `weight` names the source whose scores the votes weigh, empty to count them."""

    n: int = 16
    sampling: Sampling = Sampling(temperature=0.7)
    weight: str = ""
    think: bool = False

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        count = min(free, self.n - tree.opened_as("attempt"))
        return [Expand(tree.root, "attempt", self.sampling, think=self.think)] * count

    def answer(self, tree: Tree) -> NodeId | None:
        return elected(tree, self.weight)


def elected(tree: Tree, weight: str = "") -> NodeId | None:
    """The node to answer with: of the leading answer, the node with most weight, the earliest of equals. Where nobody
    voted it is the best attempt by anything else that speaks (`leader`).

    A source that scored none of the voters weighs nothing: then votes are counted.
    """
    ballot = _leading(tree, weight)
    if ballot is None:
        return leader(tree, weight)
    return max(ballot.nodes, key=lambda node: (tree.score(node, weight) or 0.0, -node))


def _leading(tree: Tree, weight: str) -> Ballot | None:
    voter = next((voter for voter in VOTERS if tree.votes(voter).total), "")
    votes = tree.votes(voter)
    for source in (weight, voter if voter == _CODET else ""):
        weighed = [ballot for ballot in votes.ballots.values() if ballot.weights.get(source, 0.0) > 0.0]
        if weighed:
            return max(weighed, key=lambda ballot: ballot.weights[source])
    return votes.leader

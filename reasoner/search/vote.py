"""Vote: many independent attempts, answered with what most of them say (self-consistency, Wang et al., 2203.11171,
section 2), or with what weighs most by a verifier's scores (weighted best-of-N, Li et al., 2206.02336, section 3.2).

What makes two attempts one answer is their verdicts' key: for a question the answer itself, for code its behaviour on
probe inputs. Where visible tests scored, only those attempts vote that none scores higher than (AlphaCode, Li et al.,
2203.07814, section 4.4: filter, then take the largest cluster).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from reasoner.ledger import Ledger
from reasoner.search.plain import VISIBLE, leader
from reasoner.tree import Ballot, Poll, Tree
from reasoner.types import Expand, NodeId, Sampling

VOTERS = ("answer", "behaviour")
"""Sources whose keys are votes."""


@dataclass(frozen=True)
class Vote:
    """`n` attempts; `weight` names the source whose scores the votes weigh, empty to count them."""

    n: int = 16
    sampling: Sampling = Sampling(temperature=0.7)
    weight: str = ""
    think: bool = False

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        if tree.solved:
            return []
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
    poll = next((p for p in map(tree.poll, VOTERS) if p.total), Poll())
    best = tree.best(VISIBLE)
    if best is not None:
        poll = _among(tree, poll, weight, _equals(tree, tree[best].score(VISIBLE)))
    weighed = [b for b in poll.ballots.values() if b.weights.get(weight, 0.0) > 0.0]
    if not weighed:
        return poll.leader
    return max(weighed, key=lambda ballot: ballot.weights[weight])


def _equals(tree: Tree, score: float | None) -> set[NodeId]:
    """The nodes that have the best visible score."""
    return {node for node in tree.top(VISIBLE, len(tree)) if tree[node].score(VISIBLE) == score}


def _among(tree: Tree, poll: Poll, weight: str, nodes: Iterable[NodeId]) -> Poll:
    """The same poll, with these voters alone."""
    kept = Poll()
    keys = {node: ballot.key for ballot in poll.ballots.values() for node in ballot.nodes}
    for node in sorted(set(nodes) & set(keys)):
        kept.add(keys[node], node, {weight: tree.score(node, weight) or 0.0})
    return kept

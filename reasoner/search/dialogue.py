"""Dialogue: one core in two roles. A proposer answers, a critic says whether that is right, the proposer writes anew
with the critic's words in its context, until the critic agrees (Self-Refine, Madaan et al., 2303.17651, section 2).

A small core is an easy critic: what it agrees to is no better judged than by its own votes.
"""

import re
from dataclasses import dataclass, replace

from reasoner.completions import Sampling
from reasoner.ledger import Ledger
from reasoner.search.plain import VISIBLE, leader
from reasoner.search.vote import elected
from reasoner.tree import Node, Tree
from reasoner.types import Expand, NodeId

_AGREES = re.compile(r"\W*(approved|(\w+ )?(answer|code|solution|it|that) is (\w+ly )?(correct|right))\b", re.I)
_OBJECTS = re.compile(r"\b(but|however|except|although|should|incorrectly|wrong)\b", re.I)


@dataclass(frozen=True)
class Dialogue:
    """`n` proposals at most. The first proposal and the critic are greedy."""

    n: int = 4
    sampling: Sampling = Sampling(temperature=0.7)
    think: bool = False

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        proposals = tree.opened_as("attempt", "revise")
        if tree.in_flight or tree.solved or free < 1:
            return []
        greedy, last = replace(self.sampling, temperature=0.0), tree.nodes[-1]
        if not proposals:
            return [Expand(tree.root, "attempt", greedy, think=self.think)]
        if proposals >= self.n or agrees(last):
            return []
        if last.move == "criticise" or last.step("malformed"):
            return [Expand(last.id, "revise", self.sampling)]
        return [Expand(last.id, "criticise", greedy)]

    def answer(self, tree: Tree) -> NodeId | None:
        """What the critic agreed to; without its word what most proposals say. Visible tests overrule both."""
        if tree.best(VISIBLE) is not None:
            return leader(tree)
        last = tree.nodes[-1]
        return last.parent if agrees(last) else elected(tree)


def agrees(node: Node) -> bool:
    """Whether a node is a critic's word of approval: the one that was asked for, or what small cores say instead."""
    step = node.step("criticise")
    said = step.text if step else ""
    return _AGREES.match(said) is not None and _OBJECTS.search(said) is None

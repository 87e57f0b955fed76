"""Whatever a strategy begins with a core that owns the protocol is gone on with until the core says it is over.

A node of such a core is one thing that it did, so an attempt is a path. It is followed after each observation, and
after a backtrack at the node that the backtrack names, with its lesson. What the dead branch wrote is written off the
attempt's own tokens, so an attempt costs what it may cost however often it goes back.
"""

from dataclasses import dataclass, field, replace

from reasoner.dialect.spoken import read_backtrack
from reasoner.ledger import Ledger
from reasoner.protocols import Strategy
from reasoner.search.plain import VISIBLE
from reasoner.tree import Node, PerTree, Tree
from reasoner.types import Expand, Move, NodeId

_BEGUN: frozenset[Move] = frozenset({"attempt", "revise", "follow"})
"""Moves that end with an answer; all others are a strategy's single steps."""


@dataclass
class _Tips:
    """Of the first `seen` nodes of a tree, those that an attempt could go on from when they were last looked at."""

    open: list[NodeId] = field(default_factory=list)
    seen: int = 0


@dataclass(frozen=True)
class Following:
    """`strategy`, which is asked for more only where there is room beside what is gone on with. An attempt whose tests
    have failed is over where it `ends` so."""

    strategy: Strategy
    ends: bool = False
    _tips: PerTree["_Tips"] = field(default_factory=lambda: PerTree(_Tips), compare=False, repr=False)

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        going = self._going(tree)[:free]
        room = free - len(going)
        return [*going, *self.strategy.select(tree, ledger, room)] if room else going

    def answer(self, tree: Tree) -> NodeId | None:
        return self.strategy.answer(tree)

    def _going(self, tree: Tree) -> list[Expand]:
        """What is to be gone on with. An attempt that is over stays so, and is not looked at again."""
        tips = self._tips[tree]
        found = {
            node: expand
            for node in (*tips.open, *range(tips.seen, len(tree)))
            if (expand := self._after(tree, tree[node]))
        }
        tips.open, tips.seen = list(found), len(tree)
        return list(found.values())

    def _after(self, tree: Tree, node: Node) -> Expand | None:
        score = node.score(VISIBLE) if self.ends else None
        return None if score is not None and score < 1.0 else after(tree, node)


def after(tree: Tree, node: Node) -> Expand | None:
    """How to go on with the attempt that ends at `node`; None where it is over, or somebody does."""
    made = tree.expand(node.id)
    if made is None or made.move not in _BEGUN or tree.followed(node.id) or not node.steps:
        return None
    left = made.sampling.max_tokens - node.cost.decoded
    if left < 1:
        return None
    sampling, last = replace(made.sampling, max_tokens=left, without=()), node.steps[-1]
    if last.kind == "observe" and not tree.closed(node.id):
        return Expand(node.id, "follow", sampling)
    said = read_backtrack(last.text) if last.kind == "backtrack" else None
    target = tree.observed(node.id, said[0]) if said else None
    return None if target is None else Expand(target, "follow", sampling, learnt=node.id)

"""Search level by level: all beams take one step, a verifier scores the steps, the best go on.

A level is whole before the next is chosen, and what is chosen depends on finished levels alone, never on which head
came first; so it is chosen once. Answered beams leave the search and their share of the beams with them. Steps that
echo a sibling are not gone on with: beams of a small core would else be one and the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from reasoner.ledger import Ledger
from reasoner.search.steps import Steps
from reasoner.search.vote import elected
from reasoner.tree import PerTree, Tree
from reasoner.types import Expand, NodeId

Rule = Literal["top", "dvts", "rebase"]
Share = tuple[NodeId, int]
"""A node, and how many heads grow from it."""


@dataclass
class _Level:
    """How a level goes on, while what it was chosen from is `known`; all shares before `at` are grown."""

    known: tuple[int, ...]
    shares: list[Share]
    at: int = 0


@dataclass(frozen=True)
class Beam:
    """`n` beams of which, with `m` the beam width, each level keeps by one `rule`:

    top     the n/m best, m steps from each (Snell et al., 2408.03314, section 5.2, beam search)
    dvts    the best of each of n/m subtrees that never meet, m steps from it (diverse verifier tree search, Beeching
            et al., 2024, "Scaling test-time compute with open models")
    rebase  every one, with a share of the steps by the softmax of its score over the temperature `balance` (reward
            balanced search, Wu et al., 2408.00724, section 3.2)

    It ends with `most` candidates, as many as beams if that is None: where every step is a candidate, as for code, a
    search of several levels has more candidates than beams.
    """

    steps: Steps = Steps()
    n: int = 16
    m: int = 4
    rule: Rule = "top"
    balance: float = 0.1
    most: int | None = None
    _levels: PerTree[dict[int, _Level]] = field(default_factory=lambda: PerTree(dict), compare=False, repr=False)

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        most = self.n if self.most is None else self.most
        flying = tree.in_flight
        free = min(free, most - tree.candidates - len(flying))
        if tree.solved or free <= 0:
            return []
        if flying:
            return self._missing(tree, tree.sums(flying[0].expand.node).depth, free)
        return self._missing(tree, tree.depth - 1, free) or self._missing(tree, tree.depth, free)

    def answer(self, tree: Tree) -> NodeId | None:
        return elected(tree, self.steps.guide)

    def _missing(self, tree: Tree, depth: int, free: int) -> list[Expand]:
        """What is to grow from this level and does not yet, as far as there is room."""
        level, heads = self._level(tree, depth), list[NodeId]()
        for place in range(level.at, len(level.shares)):
            node, count = level.shares[place]
            missing = count - tree.grown(node)
            if missing <= 0 and place == level.at:
                level.at += 1
            heads += [node] * min(missing, free - len(heads))
            if len(heads) == free:
                break
        return [self.steps.on(tree, node) for node in heads]

    def _level(self, tree: Tree, depth: int) -> _Level:
        """Chosen anew where the level has more nodes than it had, or a head was dropped."""
        left = self.n - sum(tree.ends(d) for d in range(depth + 1))
        known = left, tree.dropped, len(tree.level(depth))
        levels = self._levels[tree]
        if depth not in levels or levels[depth].known != known:
            levels[depth] = _Level(known, self._shares(tree, depth, left))
        return levels[depth]

    def _shares(self, tree: Tree, depth: int, left: int) -> list[Share]:
        if depth <= 0:
            return [(tree.root, self.n)] if depth == 0 else []
        if self.rule == "dvts":
            return self._of_subtrees(tree, tree.level(depth))
        nodes = [node for node in tree.level(depth) if self.steps.open(tree, node)]
        if left <= 0 or not nodes:
            return []
        ranked = sorted(zip(self.steps.worths(tree, nodes), nodes, strict=True), key=lambda one: (-one[0], one[1]))
        if self.rule == "rebase":
            best = ranked[0][0]
            return _split(left, [(node, math.exp((worth - best) / self.balance)) for worth, node in ranked])
        return _split(left, [(node, 1.0) for _, node in ranked[: math.ceil(left / self.m)]])

    def _of_subtrees(self, tree: Tree, level: Sequence[NodeId]) -> list[Share]:
        """The best of each subtree, unless it is at its end, with as many steps as the subtree has. Children of one
        parent are one subtree's; those of the root are dealt out in the order they came, m to each."""
        subtrees: dict[int, list[NodeId]] = {}
        for place, node in enumerate(level):
            parent = tree[node].parent or 0
            subtrees.setdefault(parent or -1 - place // self.m, []).append(node)
        found = [
            (self._best(tree, [n for n in nodes if not tree.echoes(n)]), len(nodes)) for nodes in subtrees.values()
        ]
        return [(node, size) for node, size in found if node is not None and self.steps.open(tree, node)]

    def _best(self, tree: Tree, nodes: Sequence[NodeId]) -> NodeId | None:
        worths = dict(zip(nodes, self.steps.worths(tree, nodes), strict=True))
        return max(nodes, key=lambda node: (worths[node], -node), default=None)


def _split(count: int, weights: Sequence[tuple[NodeId, float]]) -> list[Share]:
    """`count` heads in proportion to positive weights, largest first; they add up."""
    shares, total = [], math.fsum(weight for _, weight in weights)
    for place, (node, weight) in enumerate(weights, 1):
        share = round(count * weight / total) if total > 0.0 else 0
        share = count if place == len(weights) else min(count, share)
        shares.append((node, share))
        count, total = count - share, total - weight
    return [(node, share) for node, share in shares if share]

"""Monte-Carlo tree search with PUCT (AlphaZero, Silver et al., 1712.01815, "Search"): walk down by value and prior,
grow one step where the walk ends, and back up what a verifier says of it. Nothing is played out.

Steps are sampled, so a node's children are open-ended: how many it may have grows with its visits (progressive
widening, Couetoux et al., 2011). A child's prior is the core's own probability of its step, a token's on average, among
its siblings. A head in flight counts as a visit and leaves the value as it is (WU-UCT, Liu et al., 1810.11755, section
3: with few visits a virtual loss scatters the heads). Values are set between the lowest and the highest so far (MuZero,
Schrittwieser et al., 1911.08265, appendix B), so any source will do.
"""

import math
from collections import Counter
from dataclasses import dataclass

from reasoner.ledger import Ledger
from reasoner.search.steps import Steps
from reasoner.search.vote import elected
from reasoner.tree import Tree
from reasoner.types import Expand, NodeId


@dataclass(frozen=True)
class Mcts:
    """Until there are `n` candidates. `c_puct` weighs exploring; a node with N visits has up to
    `widening * N ** alpha` children."""

    steps: Steps = Steps()
    n: int = 16
    c_puct: float = 0.5
    widening: float = 1.5
    alpha: float = 0.5

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        left = self.n - tree.candidates - len(tree.in_flight)
        if tree.solved or tree.opened_as("continue", "attempt") >= self.n * self.steps.depth:
            return []
        walk = _Walk(self, tree)
        nodes = [walk.down() for _ in range(min(free, left))]
        return [self.steps.on(tree, node) for node in nodes if node is not None]

    def answer(self, tree: Tree) -> NodeId | None:
        return elected(tree, self.steps.guide)


class _Walk:
    """Walks down one tree, and takes each walk before it for a head in flight."""

    def __init__(self, search: Mcts, tree: Tree) -> None:
        self._search, self._tree = search, tree
        self._source = search.steps.source(tree)
        self._low, high = tree.span(self._source)
        self._range = high - self._low
        self._passed: Counter[NodeId] = Counter()
        self._grown: Counter[NodeId] = Counter()

    def down(self) -> NodeId | None:
        """The node that is to grow, None where it is better to wait for what grows already."""
        at, passed = self._tree.root, []
        while not self._widens(at):
            passed.append(at)
            below = self._best(at)
            if below is None and self._flying(at):
                return None
            if below is None:
                break
            at = below
        self._passed.update({*passed, at})
        self._grown[at] += 1
        return at

    def _widens(self, at: NodeId) -> bool:
        """Whether a node may have one more child by now."""
        visits = 1 + self._tree.sums(at).visits + self._flying(at)
        most: float = self._search.widening * visits**self._search.alpha
        return self._tree.grown(at) + self._grown[at] < most

    def _best(self, at: NodeId) -> NodeId | None:
        """The child to walk on to."""
        search, tree = self._search, self._tree
        children = [child for child in tree.children(at) if search.steps.open(tree, child)]
        visits = 1 + tree.sums(at).visits + self._flying(at)
        priors = math.fsum(tree.sums(child).likelihood for child in children)
        scale = search.c_puct * math.sqrt(visits) / priors if priors > 0.0 else 0.0
        return max(children, key=lambda child: (self._puct(child, at, scale), -child), default=None)

    def _puct(self, child: NodeId, parent: NodeId, scale: float) -> float:
        sums, flying = self._tree.sums(child), self._flying(child)
        return self._value(child, parent) + scale * sums.likelihood / (1 + sums.visits + flying)

    def _value(self, child: NodeId, parent: NodeId) -> float:
        """0..1; of a node that nobody judged its parent's."""
        mean = self._tree.mean(child, self._source)
        if mean is None:
            mean = self._tree.mean(parent, self._source)
        return (mean - self._low) / self._range if mean is not None and self._range > 0.0 else 0.5

    def _flying(self, node: NodeId) -> int:
        return self._tree.sums(node).flying + self._passed[node]

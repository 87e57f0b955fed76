"""What the step-level strategies share: how a node goes on, and how good nodes look beside each other.

A step of a question is a paragraph, or a block of code that is run. A step of code is a whole attempt at the task's own
node and a revision anywhere else, so a path is a chain of revisions. Either way a node is tokens and a world, so two
branches of one executed step go on from the same files and names.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reasoner.completions import Sampling
from reasoner.search.plain import VISIBLE
from reasoner.tree import LIKELIHOOD, Tree
from reasoner.types import Expand, NodeId


@dataclass(frozen=True)
class Steps:
    """`guide` is the source whose scores lead; a path has at most `depth` steps; `ends` are texts that end one.
    `averaged` takes the mean of a path's scores for the score of its last step: less noise, where a path's steps are
    parts of one solution and not one solution after the other."""

    guide: str = LIKELIHOOD
    sampling: Sampling = Sampling(temperature=0.7)
    depth: int = 12
    ends: tuple[str, ...] = ()
    averaged: bool = False

    def open(self, tree: Tree, node: NodeId) -> bool:
        """Whether a node may go on: it is not at its end, it does not echo a sibling, its path may have one more."""
        return not tree.closed(node) and not tree.echoes(node) and tree.sums(node).depth < self.depth

    def on(self, tree: Tree, node: NodeId) -> Expand:
        """One step on; where it is the last that the path may have, all that is missing of the attempt."""
        if tree.sums(node).depth == self.depth - 1 and tree.score(node, VISIBLE) is None:
            return Expand(node, "attempt", self.sampling)
        return Expand(node, "continue", replace(self.sampling, stop=(*self.sampling.stop, *self.ends)))

    def source(self, tree: Tree) -> str:
        """The guide, or the core's own likelihood while the guide has said nothing at all."""
        return LIKELIHOOD if tree.mean(tree.root, self.guide) is None else self.guide

    def worths(self, tree: Tree, nodes: Sequence[NodeId]) -> list[float]:
        """Scores that can be compared: all of one source. A node on which it is silent counts as the worst of them;
        where it is silent on all, the core's own likelihood speaks."""
        of = tree.along if self.averaged else tree.score
        scores = [of(node, self.guide) for node in nodes]
        worst = min((s for s in scores if s is not None), default=None)
        if worst is None:
            return [tree.score(node, LIKELIHOOD) or 0.0 for node in nodes]
        return [worst if score is None else score for score in scores]

"""The default: think once greedily, then step back and try again from before the attempt.

What failed stays out of the context, because a small core that sees its failed code writes it again, letter for letter,
two times out of three. What was learnt may come along as one paragraph: after the first failure the core reflects on
it, and a share of the later attempts starts with that lesson (after Reflexion, Shinn et al., 2303.11366, with the step
back in tokens and world that it lacks). The rest are fresh samples.
"""

from dataclasses import dataclass, replace

from reasoner.ledger import Ledger
from reasoner.search.plain import leader
from reasoner.tree import Tree
from reasoner.types import Expand, NodeId, Sampling


@dataclass(frozen=True)
class Restart:
    """`n` attempts at most. Every `lesson_every`-th attempt after the first takes the lesson along; 0 means none does,
    and then nothing is spent on reflecting."""

    n: int = 16
    sampling: Sampling = Sampling(temperature=0.6)
    lesson_every: int = 4
    think: bool = False

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        opened = tree.opened_as("attempt")
        if not opened:
            greedy = replace(self.sampling, temperature=0.0)
            return [Expand(tree.root, "attempt", greedy, think=self.think)][:free]
        if tree.last("attempt") is None:
            return []
        expands = [] if tree.opened_as("reflect") else self._reflection(tree)[:free]
        last = min(self.n, opened + free - len(expands))
        return expands + [self._attempt(tree, ordinal) for ordinal in range(opened, last)]

    def _attempt(self, tree: Tree, ordinal: int) -> Expand:
        carries = self.lesson_every and ordinal % self.lesson_every == 0
        learnt = tree.last("reflect") if carries else None
        return Expand(tree.root, "attempt", self.sampling, think=self.think, learnt=learnt)

    def _reflection(self, tree: Tree) -> list[Expand]:
        """Reflect on the attempt that came nearest."""
        nearest = leader(tree)
        if not self.lesson_every or nearest is None or tree[nearest].step("observe") is None:
            return []
        return [Expand(nearest, "reflect", replace(self.sampling, temperature=0.0))]

    def answer(self, tree: Tree) -> NodeId | None:
        return leader(tree)

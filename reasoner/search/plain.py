"""The plain strategies: one sample, many independent samples, and sequential revision."""

from dataclasses import dataclass
from itertools import chain

from reasoner.completions import Sampling
from reasoner.ledger import Ledger
from reasoner.tree import LIKELIHOOD, Node, Tree
from reasoner.types import Expand, NodeId

VISIBLE = "visible"


def leader(tree: Tree, guide: str = "") -> NodeId | None:
    """The attempt that the visible tests score highest. Where none was tested, the one that the source `guide` scores
    highest, else the one that its core found likeliest; where nothing scored, the last."""
    best = tree.best(VISIBLE)
    if best is not None:
        return best
    ranked = chain(tree.ranked(guide), tree.ranked(LIKELIHOOD), (n.id for n in reversed(tree.nodes)))
    found = next((node for node in ranked if _is_whole(tree[node], answers=tree.candidates > 0)), None)
    if found is not None:
        return found
    return next((n.id for n in reversed(tree.nodes) if n.step("act") or n.step("answer")), None)


def _is_whole(node: Node, *, answers: bool) -> bool:
    """Whether it is an answer, or where there are none, code that can be used."""
    if answers:
        return node.step("answer") is not None
    return node.step("act") is not None and node.step("malformed") is None


@dataclass(frozen=True)
class Single:
    """One sample, greedy unless told otherwise."""

    sampling: Sampling = Sampling()
    think: bool = False

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        if tree.opened_as("attempt") or not free:
            return []
        return [Expand(tree.root, "attempt", self.sampling, think=self.think)]

    def answer(self, tree: Tree) -> NodeId | None:
        return leader(tree)


@dataclass(frozen=True)
class BestOfN:
    """`n` independent samples of one prompt, the best by the verifier (repeated sampling, Brown et al., 2407.21787)."""

    n: int = 16
    sampling: Sampling = Sampling(temperature=0.8)
    think: bool = False
    guide: str = ""

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        count = min(free, self.n - tree.opened_as("attempt"))
        return [Expand(tree.root, "attempt", self.sampling, think=self.think)] * count

    def answer(self, tree: Tree) -> NodeId | None:
        return leader(tree, self.guide)


@dataclass(frozen=True)
class Revise:
    """Sequential revision: every attempt sees the one before it and what its tests said (Snell et al., 2408.03314,
    section 6). An untrained small core mostly repeats itself here."""

    n: int = 8
    sampling: Sampling = Sampling(temperature=0.4)
    think: bool = False
    guide: str = ""

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        opened = tree.opened_as("attempt", "revise")
        if tree.in_flight or opened >= self.n or not free:
            return []
        if not opened:
            return [Expand(tree.root, "attempt", Sampling(max_tokens=self.sampling.max_tokens), think=self.think)]
        return [Expand(tree.nodes[-1].id, "revise", self.sampling)]

    def answer(self, tree: Tree) -> NodeId | None:
        return leader(tree, self.guide)

"""How hard a turn is thought about: which strategy grows its tree, and what ends it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reasoner.completions import Sampling
from reasoner.ledger import Ledger
from reasoner.protocols import StopPolicy, Strategy
from reasoner.search import Vote
from reasoner.stopping import BudgetSpent, FirstOf, Leads
from reasoner.tree import Tree
from reasoner.types import Expand, NodeId, Stop

SAID = "it said all it had to say"
LOST = "it wrote on and on without coming to an end"
OWN = "own"
"""The effort that takes strategy and stopping policy as the reasoner has them."""
_WARM = 0.7
_TOKENS = 768
_STEPS = 24


@dataclass(frozen=True)
class Line:
    """One line of thought, a node for each step, so that every step is on disk and can be gone back to."""

    sampling: Sampling = Sampling(max_tokens=_TOKENS)
    most: int = _STEPS

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        tip = tree.nodes[-1].id
        if tree.in_flight or not free or tree.closed(tip) or tree.depth >= self.most or _is_lost(tree):
            return []
        return [Expand(tip, "continue", self.sampling, think=True)]

    def answer(self, tree: Tree) -> NodeId | None:
        tip = tree.nodes[-1].id
        return tip if tree.closed(tip) else None


def _is_lost(tree: Tree) -> bool:
    """Whether the last two steps neither ran anything nor came to an end: a small core goes round in circles then."""
    return all(node.parent is not None and node.steps[-1].kind == "think" for node in tree.nodes[-2:])


@dataclass(frozen=True)
class Said:
    """A line of thought has come to its answer, or will not. Nothing else says how sure that is."""

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        if tree.closed(tree.nodes[-1].id):
            return Stop(SAID)
        return Stop(LOST) if _is_lost(tree) else None


@dataclass(frozen=True)
class Effort:
    """`strategy` takes a temperature, None for the effort's own."""

    purpose: str
    strategy: Callable[[float | None], Strategy]
    stop: StopPolicy


def _line(temperature: float | None) -> Strategy:
    return Line(Sampling(temperature=temperature or 0.0, max_tokens=_TOKENS))


def _votes(count: int) -> Callable[[float | None], Strategy]:
    return lambda temperature: Vote(count, Sampling(temperature=temperature or _WARM, max_tokens=_TOKENS))


_AGREED = FirstOf((BudgetSpent(), Leads("answer")))
EFFORTS: Mapping[str, Effort] = {
    "low": Effort("one line of thought, greedy", _line, FirstOf((Said(), BudgetSpent()))),
    "medium": Effort("up to 5 lines of thought, answered as most of them do", _votes(5), _AGREED),
    "high": Effort("up to 16 lines of thought, answered as most of them do", _votes(16), _AGREED),
}

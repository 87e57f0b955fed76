"""Stop when going on is not worth it: the answer is right with the probability that was asked for, or another sample
would cost more tokens than what it may bring is worth."""

from collections.abc import Callable
from dataclasses import dataclass

from reasoner.ledger import Ledger
from reasoner.stopping.votes import Answer, lead, standing
from reasoner.tree import Tree
from reasoner.types import NodeId, Stop


@dataclass(frozen=True)
class Sure:
    """The answer that would be given now is right with at least this `confidence`.

    `answer` is the strategy's own; `probability` says how likely a node is right, calibrated, or None where nothing
    says (`verifiers.calibrate`).
    """

    answer: Answer
    probability: Callable[[Tree, NodeId], float | None]
    confidence: float

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        node = self.answer(tree) if len(tree) > 1 else None
        right = self.probability(tree, node) if node is not None else None
        if right is None or right < self.confidence:
            return None
        return Stop(f"the answer is right with a probability of {right:.2f}", right)


@dataclass(frozen=True)
class Gain:
    """Another sample is not worth its tokens: the value of computation (Russell and Wefald, 1991) against its price.

    `worth` is what a right answer in place of a wrong one is worth, in tokens. A sample's price is the mean of those so
    far. What it may bring is bounded from above: with tests, the chance that the next attempt passes them all, after so
    many that did not, under a Beta(`hope`, 1) prior; with votes, the doubt that is left about the leader, shared among
    the votes that it takes to overturn it.
    """

    worth: float
    source: str = ""
    """Whose keys are votes; empty where tests decide."""
    hope: float = 0.5
    least: int = 2

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        tried = tree.opened_as("attempt", "revise") - sum(h.expand.move in _TRIES for h in tree.in_flight)
        if tried < self.least:
            return None
        price = ledger.spent.tokens / tried
        gain = self._gain(tree, tried)
        if gain * self.worth >= price:
            return None
        return Stop(f"another sample costs {price:.0f} tokens and is expected to bring {gain * self.worth:.0f}")

    def _gain(self, tree: Tree, tried: int) -> float:
        if not self.source:
            return self.hope / (self.hope + 1.0 + tried)
        first, second, total = standing(tree, self.source)
        if not total:
            return self.hope / (self.hope + 1.0 + tried)
        return (1.0 - lead(first, second)) / (first - second + 1)


_TRIES = ("attempt", "revise")

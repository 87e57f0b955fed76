"""The plain reasons to stop: the tests pass, the budget is spent; and the first of several policies with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from reasoner.ledger import Ledger
from reasoner.protocols import StopPolicy
from reasoner.tree import Tree
from reasoner.types import Stop

SOLVED = "all visible tests pass"
SPENT = "budget spent"


@dataclass(frozen=True)
class Solved:
    """All visible tests pass. How much that is worth the tests do not say, so none is claimed. Nothing is decided
    where attempts that pass them vote, by one of the sources `unless`."""

    unless: Sequence[str] = ()

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        voting = any(tree.votes(source).total for source in self.unless)
        return Stop(SOLVED) if tree.solved and not voting else None


@dataclass(frozen=True)
class BudgetSpent:
    """A dimension of the budget is used up; the search is suspended and can go on with more."""

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        dimension = ledger.exhausted
        return Stop(f"{SPENT}: {dimension}") if dimension else None


@dataclass(frozen=True)
class FirstOf:
    policies: Sequence[StopPolicy]

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        return next((stop for p in self.policies if (stop := p.decide(tree, ledger))), None)

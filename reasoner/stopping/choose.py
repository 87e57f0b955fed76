"""From settings to the policy that ends a search: the tests pass, the answer is as sure as was asked for, the budget is
spent."""

from collections.abc import Callable

from reasoner.config import BudgetConfig, SearchConfig
from reasoner.errors import ConfigError
from reasoner.protocols import StopPolicy
from reasoner.stopping.basic import BudgetSpent, FirstOf, Solved
from reasoner.stopping.votes import Leads, fewest
from reasoner.stopping.worth import Sure
from reasoner.tree import VOTERS, Tree
from reasoner.types import NodeId

Answer = Callable[[Tree], NodeId | None]
"""What a strategy would answer with now."""
Probability = Callable[[Tree, NodeId], float | None]
"""How likely a node is right, calibrated; None where nothing says."""


def policy(
    budget: BudgetConfig,
    search: SearchConfig,
    answer: Answer,
    probability: Probability | None = None,
    *,
    votes: bool = False,
) -> StopPolicy:
    """What ends a search with these settings, whose strategy gives this `answer`. With a calibrated `probability` the
    confidence is that of the answer; without one, that it would stay ahead of the others. One that `votes` is not sure
    because one attempt passes the visible tests: those that pass them vote.

    Raises:
        ConfigError: the confidence cannot be reached with so few attempts.
    """
    if not budget.confidence:
        return FirstOf((Solved(), BudgetSpent()))
    solved = Solved(unless=VOTERS if votes else ())
    if probability:
        return FirstOf((solved, Sure(answer, probability, budget.confidence), BudgetSpent()))
    least = fewest(budget.confidence)
    most = 1 if search.strategy == "single" else search.attempts
    if least > most:
        raise ConfigError(
            f"a confidence of {budget.confidence} takes {least} answers that agree, and there "
            f"{'is one attempt' if most == 1 else f'are {most} attempts'} at most: allow more, or ask for less"
        )
    sure = [Leads(source, budget.confidence, answer=answer) for source in VOTERS]
    return FirstOf((solved, *sure, BudgetSpent()))

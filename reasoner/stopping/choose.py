"""From settings to the policy that ends a search: the tests pass, the answer is as sure as was asked for, the budget is
spent."""

from collections.abc import Callable

from reasoner.config import BudgetConfig, SearchConfig
from reasoner.errors import ConfigError
from reasoner.protocols import StopPolicy
from reasoner.stopping.basic import BudgetSpent, FirstOf, Solved
from reasoner.stopping.spelt import spelt
from reasoner.stopping.votes import Answer, Leads, fewest
from reasoner.stopping.worth import Sure
from reasoner.tree import VOTERS, Tree
from reasoner.types import NodeId

Probability = Callable[[Tree, NodeId], float | None]
"""How likely a node is right, calibrated; None where nothing says."""


def policy(
    budget: BudgetConfig,
    search: SearchConfig,
    answer: Answer,
    probability: Probability | None = None,
    *,
    voter: str = "",
    votes: bool = False,
) -> StopPolicy:
    """What ends a search with these settings, whose strategy gives this `answer`. With a calibrated `probability` the
    confidence is that of the answer; without one, that it would stay ahead of the others. `voter` is the source whose
    keys are votes. A strategy that `votes` is not sure because one attempt passes the visible tests: where a confidence
    or a policy is asked for, those that pass them vote.

    Raises:
        ConfigError: the confidence cannot be reached with so few attempts, or there is no such policy.
    """
    asked = [spelt(budget.stop, voter, answer)] if budget.stop else []
    if budget.confidence:
        asked += _sure(budget, search, answer, probability)
    return FirstOf((Solved(unless=VOTERS if votes and asked else ()), *asked, BudgetSpent()))


def _sure(
    budget: BudgetConfig, search: SearchConfig, answer: Answer, probability: Probability | None
) -> list[StopPolicy]:
    if probability:
        return [Sure(answer, probability, budget.confidence)]
    least = fewest(budget.confidence)
    most = 1 if search.strategy == "single" else search.attempts
    if least > most:
        raise ConfigError(
            f"a confidence of {budget.confidence} takes {least} answers that agree, and there "
            f"{'is one attempt' if most == 1 else f'are {most} attempts'} at most: allow more, or ask for less"
        )
    return [Leads(source, budget.confidence, answer=answer) for source in VOTERS]

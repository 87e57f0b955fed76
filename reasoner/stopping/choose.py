"""From settings to the policy that ends a search: the tests pass, the answer is as sure as was asked for, the budget is
spent."""

from collections.abc import Callable

from reasoner.config import BudgetConfig, SearchConfig
from reasoner.errors import ConfigError
from reasoner.protocols import StopPolicy
from reasoner.stopping.basic import BudgetSpent, FirstOf, Solved
from reasoner.stopping.votes import Leads, fewest
from reasoner.stopping.worth import Sure
from reasoner.tree import Tree
from reasoner.types import NodeId

_TESTS = "visible"
_VOTES = ("answer", "behaviour")
"""Sources whose keys are votes for an answer."""

Probability = Callable[[Tree, NodeId], float | None]
"""How likely a node is right, calibrated; None where nothing says."""


def policy(budget: BudgetConfig, search: SearchConfig, probability: Probability | None = None) -> StopPolicy:
    """What ends a search with these settings. With a calibrated `probability` the confidence is that of the answer;
    without one, that the leading answer would stay ahead of the others.

    Raises:
        ConfigError: the confidence cannot be reached with so few attempts.
    """
    if not budget.confidence:
        return FirstOf((Solved(), BudgetSpent()))
    if probability:
        return FirstOf((Solved(), Sure(favourite, probability, budget.confidence), BudgetSpent()))
    least = fewest(budget.confidence)
    most = 1 if search.strategy == "single" else search.attempts
    if least > most:
        raise ConfigError(
            f"a confidence of {budget.confidence} takes {least} answers that agree, and there "
            f"{'is one attempt' if most == 1 else f'are {most} attempts'} at most: allow more, or ask for less"
        )
    votes = [Leads(source, budget.confidence, unless=_TESTS) for source in _VOTES]
    return FirstOf((Solved(), *votes, BudgetSpent()))


def favourite(tree: Tree) -> NodeId | None:
    """What the tests score highest; without tests, the first of those that gave the leading answer."""
    if (best := tree.best(_TESTS)) is not None:
        return best
    for source in _VOTES:
        if leader := tree.poll(source).leader:
            return leader.nodes[0]
    return None

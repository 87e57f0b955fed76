from collections.abc import Callable

import pytest

from reasoner.config import BudgetConfig, SearchConfig
from reasoner.errors import ConfigError
from reasoner.ledger import Budget, Cost, Ledger
from reasoner.stopping import SOLVED, policy
from reasoner.stopping.choose import favourite
from reasoner.tree import Tree
from reasoner.types import Expand, Sampling, Step, Verdict

Voted = Callable[[str], Tree]
LEDGER = Ledger(clock=lambda: 0.0)


def code(*verdicts: Verdict) -> Tree:
    tree = Tree("t")
    tree.plant([Step("task", "")], "s0")
    for verdict in verdicts:
        head = tree.opened(Expand(0, "attempt", Sampling()))
        tree.add(head, [], "s0", [verdict, Verdict(1.0, "behaviour", key="same")], Cost())
    return tree


def test_a_confidence_ends_a_vote(voted: Voted) -> None:
    sure = policy(BudgetConfig(confidence=0.95), SearchConfig())
    assert sure.decide(voted("aaa"), LEDGER) is None
    stop = sure.decide(voted("aaaa"), LEDGER)
    assert stop is not None and stop.confidence is not None and stop.confidence >= 0.95


def test_without_a_confidence_only_tests_and_budget_end_it(voted: Voted) -> None:
    plain = policy(BudgetConfig(), SearchConfig())
    assert plain.decide(voted("a" * 50), LEDGER) is None
    spent = Ledger(Budget(tokens=0), clock=lambda: 0.0)
    assert plain.decide(voted("a"), spent) is not None


def test_candidates_that_fail_alike_end_nothing_where_tests_decide() -> None:
    sure = policy(BudgetConfig(confidence=0.95), SearchConfig())
    failing = [Verdict(0.5, "visible")] * 9
    assert sure.decide(code(*failing), LEDGER) is None
    assert sure.decide(code(*[Verdict(0.5, "certainty")] * 9), LEDGER) is not None, "without tests they vote"
    stop = sure.decide(code(*failing, Verdict(1.0, "visible")), LEDGER)
    assert stop is not None and stop.reason == SOLVED


def test_a_calibrated_probability_goes_before_the_count_of_votes(voted: Voted) -> None:
    sure = policy(BudgetConfig(confidence=0.9), SearchConfig(), lambda tree, node: 0.2 + 0.1 * len(tree))
    assert sure.decide(voted("aaaaa"), LEDGER) is None
    assert sure.decide(voted("aaaaaaa"), LEDGER) is not None


@pytest.mark.parametrize(
    ("search", "words"),
    [
        (SearchConfig(attempts=3), "takes 4 answers that agree, and there are 3 attempts at most"),
        (SearchConfig(strategy="single"), "there is one attempt at most"),
    ],
)
def test_a_confidence_that_cannot_be_reached_is_refused(search: SearchConfig, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        policy(BudgetConfig(confidence=0.95), search)


def test_the_favourite_is_what_the_tests_prefer_or_else_the_vote(voted: Voted) -> None:
    assert favourite(code(Verdict(0.1, "visible"), Verdict(0.7, "visible"))) == 2
    assert favourite(voted("abb")) == 2
    assert favourite(voted("")) is None

"""Policies by their names, as settings and the command line say them."""

from collections.abc import Callable

import pytest

from reasoner.config import BudgetConfig, SearchConfig
from reasoner.errors import ConfigError
from reasoner.ledger import Cost, Ledger
from reasoner.search import Vote
from reasoner.stopping import policy
from reasoner.stopping.spelt import names, spelt
from reasoner.tree import Tree

Voted = Callable[[str], Tree]


def spent(tokens: int) -> Ledger:
    ledger = Ledger(clock=lambda: 0.0)
    ledger.charge(Cost(decoded=tokens))
    return ledger


def reason(stop: str, tree: Tree, tokens: int = 0, **budget: float) -> str:
    found = policy(BudgetConfig(stop=stop, **budget), SearchConfig(), Vote().answer, voter="answer")  # type: ignore[arg-type]
    decided = found.decide(tree, spent(tokens))
    return decided.reason if decided else ""


def test_every_policy_that_needs_no_records_can_end_a_search(voted: Voted) -> None:
    assert reason("agrees:3", voted("abbb")) == "", "windows do not overlap"
    assert reason("agrees:3", voted("abcbbb")) == "3 answers in a row agree"
    assert reason("leads:0.9", voted("aaa")) == "3 of 3 answers agree"
    assert reason("gain:1000", voted("aaaaaa"), 6_000).startswith("another sample costs 1000 tokens")
    assert reason("gain:1000", voted("ababab"), 600) == ""


def test_the_first_of_several_ends_it_and_a_confidence_counts_beside_them(voted: Voted) -> None:
    assert reason("agrees:3+gain:1000", voted("ab"), 9_000).startswith("another sample")
    assert reason("agrees:30", voted("aaaa"), confidence=0.95) == "4 of 4 answers agree"


def test_a_window_of_one_mind_ends_nothing_while_another_answer_is_given(voted: Voted) -> None:
    tree = voted("aaaaaaabbbbb"[2:])
    assert spelt("agrees:5", "answer").decide(tree, spent(0)) is not None
    assert spelt("agrees:5", "answer", lambda tree: 10).decide(tree, spent(0)) is None


def test_the_window_says_how_surely_the_leading_answer_stays_ahead(voted: Voted) -> None:
    stop = spelt("agrees:3", "answer").decide(voted("abcbbb"), spent(0))
    assert stop is not None and stop.confidence == 57 / 64, "four against one"


@pytest.mark.parametrize(
    ("stop", "said"), [("agree", "did you mean agrees"), ("calls", "choose of solved"), ("gain:0", "between 1 and")]
)
def test_a_policy_that_is_none_is_refused(stop: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        policy(BudgetConfig(stop=stop), SearchConfig(), Vote().answer)


def test_every_name_in_the_help_is_one() -> None:
    for name in names().split(", "):
        assert spelt(name, "answer")

from collections.abc import Callable

import pytest

from reasoner.completions import Sampling
from reasoner.config import BudgetConfig, SearchConfig
from reasoner.errors import ConfigError
from reasoner.ledger import Budget, Cost, Ledger
from reasoner.search import BestOfN, Vote
from reasoner.stopping import SOLVED, policy
from reasoner.tree import Tree
from reasoner.types import Expand, Step, Verdict

Voted = Callable[[str], Tree]
LEDGER = Ledger(clock=lambda: 0.0)


VOTE = Vote().answer


def code(*scores: float | None, keys: str = "") -> Tree:
    """One attempt for each score by the visible tests; `keys` are letters for what they do."""
    tree = Tree("t")
    tree.plant([Step("task", "")], "s0")
    for score, key in zip(scores, keys or "a" * len(scores), strict=True):
        verdicts = [Verdict(1.0, "behaviour", key=key)] + ([] if score is None else [Verdict(score, "visible")])
        tree.add(tree.opened(Expand(0, "attempt", Sampling())), [Step("act", "")], "s0", verdicts, Cost())
    return tree


def test_a_confidence_ends_a_vote(voted: Voted) -> None:
    sure = policy(BudgetConfig(confidence=0.95), SearchConfig(), VOTE)
    assert sure.decide(voted("aaa"), LEDGER) is None
    stop = sure.decide(voted("aaaa"), LEDGER)
    assert stop is not None and stop.confidence is not None and stop.confidence >= 0.95


def test_without_a_confidence_only_tests_and_budget_end_it(voted: Voted) -> None:
    plain = policy(BudgetConfig(), SearchConfig(), VOTE)
    assert plain.decide(voted("a" * 50), LEDGER) is None
    spent = Ledger(Budget(tokens=0), clock=lambda: 0.0)
    assert plain.decide(voted("a"), spent) is not None


def test_candidates_that_fail_alike_end_nothing_where_tests_decide() -> None:
    for votes in (False, True):
        sure = policy(BudgetConfig(confidence=0.95), SearchConfig(), VOTE, votes=votes)
        assert sure.decide(code(*[0.5] * 9), LEDGER) is None
        assert sure.decide(code(*[None] * 9), LEDGER) is not None, "without tests they vote"


def test_a_strategy_that_votes_is_sure_when_enough_of_those_that_pass_the_tests_do_the_same() -> None:
    sure = policy(BudgetConfig(confidence=0.95), SearchConfig("vote"), VOTE, votes=True)
    assert sure.decide(code(1.0), LEDGER) is None, "one attempt is no vote"
    assert sure.decide(code(*[0.5] * 9, 1.0, 1.0, 1.0), LEDGER) is None
    assert sure.decide(code(1.0, 1.0, 1.0, 1.0, keys="abab"), LEDGER) is None
    stop = sure.decide(code(*[0.5] * 9, *[1.0] * 4), LEDGER)
    assert stop is not None and (stop.reason, stop.confidence) == ("4 of 4 answers agree", 31 / 32)


def test_others_stop_at_the_first_attempt_that_passes_the_tests() -> None:
    asked, unasked = BudgetConfig(confidence=0.95), BudgetConfig()
    for stop in (policy(asked, SearchConfig(), VOTE), policy(unasked, SearchConfig("vote"), VOTE, votes=True)):
        found = stop.decide(code(0.5, 1.0), LEDGER)
        assert found is not None and found.reason == SOLVED


def test_attempts_that_pass_the_tests_and_have_no_vote_end_a_vote() -> None:
    tree = code()
    head = tree.opened(Expand(0, "attempt", Sampling()))
    tree.add(head, [Step("act", "")], "s0", [Verdict(1.0, "visible"), Verdict(0.0, "behaviour")], Cost())
    stop = policy(BudgetConfig(confidence=0.95), SearchConfig("vote"), VOTE, votes=True).decide(tree, LEDGER)
    assert stop is not None and stop.reason == SOLVED


def test_votes_end_nothing_while_another_answer_is_given(voted: Voted) -> None:
    """A guide may weigh the votes otherwise, and best-of-N does not look at them."""
    sure = policy(BudgetConfig(confidence=0.95), SearchConfig(), lambda tree: 1)
    assert sure.decide(voted("baaaaaaa"), LEDGER) is None
    assert sure.decide(voted("aaaaaaab"), LEDGER) is not None


def test_a_calibrated_probability_goes_before_the_count_of_votes(voted: Voted) -> None:
    sure = policy(BudgetConfig(confidence=0.9), SearchConfig(), VOTE, lambda tree, node: 0.2 + 0.1 * len(tree))
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
        policy(BudgetConfig(confidence=0.95), search, VOTE)


def test_the_confidence_is_that_of_the_answer_that_the_strategy_would_give() -> None:
    """The tests prefer the second attempt; best-of-N answers with that, and a strategy of one's own with another."""
    tree, known = code(0.1, 0.7), {1: 0.2, 2: 0.9}
    for answer, stops in ((BestOfN().answer, True), (lambda tree: 1, False)):
        sure = policy(BudgetConfig(confidence=0.8), SearchConfig(), answer, lambda tree, node: known[node])
        assert (sure.decide(tree, LEDGER) is not None) == stops

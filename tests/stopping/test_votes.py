from collections.abc import Callable
from math import comb, fsum, isclose, log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.ledger import Ledger
from reasoner.stopping.votes import (
    Agrees,
    Calls,
    Leads,
    Level,
    accuracy,
    best_calls,
    fewest,
    lead,
    likely,
    merged,
    stays,
)
from reasoner.tree import Tree

Voted = Callable[[str], Tree]
LEDGER = Ledger(clock=lambda: 0.0)
COUNTS = st.integers(0, 60)


def test_the_lead_is_the_beta_integral() -> None:
    """Values of 1 - I(1/2; first + 1, second + 1), by hand."""
    assert lead(0, 0) == 0.5
    assert lead(1, 0) == 0.75
    assert lead(4, 0) == 31 / 32
    assert lead(2, 1) == 11 / 16


@given(COUNTS, COUNTS)
def test_a_lead_is_a_probability_that_grows_with_the_leaders_votes(first: int, second: int) -> None:
    assert 0.0 < lead(first, second) < 1.0 or first + second > 50
    assert lead(first + 1, second) > lead(first, second) or lead(first, second) == 1.0
    assert abs(lead(first, second) + lead(second, first) - 1.0) < 1e-12


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_the_fewest_answers_for_a_confidence_are_the_fewest(confidence: float) -> None:
    count = fewest(confidence)
    assert lead(count, 0) >= confidence and (count == 1 or lead(count - 1, 0) < confidence)


def test_answers_that_agree_end_a_vote_early(voted: Voted) -> None:
    policy = Leads("answer", 0.95)
    assert policy.decide(voted("aaa"), LEDGER) is None
    stop = policy.decide(voted("aaaa"), LEDGER)
    assert stop is not None and stop.reason == "4 of 4 answers agree" and stop.confidence == 31 / 32


def test_a_close_race_goes_on(voted: Voted) -> None:
    assert Leads("answer", 0.95).decide(voted("abababab"), LEDGER) is None
    assert Leads("answer", 0.95).decide(voted("aabaaabaaaa"), LEDGER) is not None


def test_nodes_that_cannot_be_used_have_no_vote(voted: Voted) -> None:
    assert Leads("answer", 0.5, least=1).decide(voted("....."), LEDGER) is None
    assert Agrees("answer", 3).decide(voted("....."), LEDGER) is None
    assert Agrees("answer", 3).decide(voted("a.a.a"), LEDGER) is not None


def test_a_window_of_one_mind_ends_a_vote(voted: Voted) -> None:
    policy = Agrees("answer", 3)
    assert policy.decide(voted("aa"), LEDGER) is None
    assert policy.decide(voted("abcbbb"), LEDGER) is not None


def test_windows_do_not_overlap(voted: Voted) -> None:
    assert Agrees("answer", 3).decide(voted("abbb"), LEDGER) is None


def test_a_window_counts_also_when_it_was_passed_by_two(voted: Voted) -> None:
    """The policy is asked after several nodes at once."""
    assert Agrees("answer", 3).decide(voted("aaabc"), LEDGER) is not None


EASY, HARD = Level(0.85, 0.15, 0.6), Level(0.4, 0.6, 0.4)


def test_more_calls_can_hurt_a_vote() -> None:
    best, right = best_calls((EASY, HARD), 99)
    assert 1 < best < 99
    assert right > accuracy((EASY, HARD), 1) and right > accuracy((EASY, HARD), 99)


def test_the_best_number_of_calls_is_the_closed_form() -> None:
    """Theorem 3 of Chen et al. for two kinds of tasks; their formula is a real number, ours is odd."""
    easy, hard, p1, p2 = 0.6, 0.4, 0.85, 0.4
    odds = log((easy / hard) * (2 * p1 - 1) / (1 - 2 * p2))
    closed = 2 * odds / log(p2 * (1 - p2) / (p1 * (1 - p1)))
    assert abs(best_calls((EASY, HARD), 99)[0] - closed) <= 2


def test_calls_end_when_the_predicted_best_is_reached(voted: Voted) -> None:
    policy = Calls("answer", (EASY, HARD), 33)
    assert policy.decide(voted(""), LEDGER) is None
    assert any(policy.decide(voted("ab" * n), LEDGER) for n in range(1, 20))


def test_only_easy_tasks_never_have_enough_calls(voted: Voted) -> None:
    assert Calls("answer", (EASY,), 33).decide(voted("ab" * 5), LEDGER) is None


@given(COUNTS, COUNTS)
def test_the_likely_kinds_of_task_are_shares(first: int, second: int) -> None:
    assert abs(sum(level.weight for level in likely((EASY, HARD), first, second)) - 1.0) < 1e-9


def test_one_sided_votes_speak_for_an_easy_task() -> None:
    easy, hard = likely((EASY, HARD), 12, 0)
    assert easy.weight > 0.9 > hard.weight


@given(st.floats(0.01, 0.99), st.integers(0, 30))
def test_a_majority_is_right_as_often_as_the_binomial_says(chance: float, half: int) -> None:
    calls = 2 * half + 1
    terms = (comb(calls, k) * chance**k * (1 - chance) ** (calls - k) for k in range(half + 1, calls + 1))
    assert isclose(accuracy([Level(chance, 1 - chance)], calls), fsum(terms), abs_tol=1e-9)


def test_kinds_of_tasks_that_are_nearly_the_same_are_taken_for_one() -> None:
    chance = Random(0)
    pool = [Level(right := chance.random(), (1 - right) * chance.random()) for _ in range(500)]
    few = merged(pool)
    assert len(few) <= 21 and isclose(sum(level.weight for level in few), 500)
    for calls in (1, 5, 31):
        assert abs(accuracy(few, calls) - accuracy(pool, calls)) < 0.005
    assert [level.right for level in Calls("answer", (EASY, HARD)).pool] == pytest.approx([0.85, 0.4])
    assert merged([Level(0.0, 0.0), Level(0.5, 0.5, 0.0)]) == (Level(0.5, 0.5, 1.0),)


def test_an_answer_that_does_not_lead_is_not_sure_and_one_vote_is_none(voted: Voted) -> None:
    assert stays(voted("aab"), 1) == stays(voted("aab"), 2) == lead(2, 1)
    assert stays(voted("aab"), 3) is None and stays(voted("a"), 1) is None and stays(voted(".."), 1) is None

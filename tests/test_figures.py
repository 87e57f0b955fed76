"""Figures on pools small enough to count by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.figures import Candidate, Draws, Run, against, best, equal_tokens, honest, majority, plain


def chance() -> np.random.Generator:
    return np.random.default_rng(0)


def draws(*marks: str, prompt: int = 10, tokens: int = 5) -> Draws:
    """Each mark a candidate: `r` right, `p` passes the visible tests, a digit its score, the rest of it its key."""
    return Draws(
        prompt,
        tuple(
            Candidate(
                "r" in m,
                tokens,
                float("".join(filter(str.isdigit, m)) or 0),
                "p" in m,
                "".join(c for c in m if c in "abc"),
            )
            for m in marks
        ),
    )


def test_coverage_selection_gap_and_vote_stand_together() -> None:
    pools = [draws("1a", "r2b", "0a", "1c"), draws("r0a", "3b", "r1a", "0b"), draws("1a", "1a", "1b", "1c")]
    found = honest(pools, chance())
    assert (found.tasks, found.samples, sorted(found.coverage)) == (3, 4, [1, 2, 4])
    assert found.coverage[4].value == pytest.approx(2 / 3)
    assert found.coverage[1].value == pytest.approx((1 / 4 + 2 / 4 + 0) / 3)
    assert found.selected.value == pytest.approx(1 / 3)
    assert found.gap.value == pytest.approx(1 / 3)
    assert found.vote is not None and found.vote.value == pytest.approx(1 / 3)
    assert found.tokens.value == 30


def test_where_nobody_votes_there_is_no_vote() -> None:
    assert honest([draws("r1", "0")], chance()).vote is None


def test_the_early_stop_pays_for_what_it_drew() -> None:
    spent = plain(draws("0", "rp1", "9"))
    assert (spent.correct, spent.tokens, spent.samples, spent.censored) == (True, 20, 2, False)


def test_a_candidate_that_passes_is_above_any_score() -> None:
    assert best(draws("9", "rp0").candidates).correct
    assert not best(draws("1", "r1").candidates).correct, "the earliest of equals"


def test_a_cap_cuts_a_sample_that_then_cannot_be_chosen() -> None:
    spent = plain(draws("1", "r9"), cap=17)
    assert (spent.correct, spent.tokens, spent.samples, spent.censored) == (False, 17, 1, False)
    assert plain(draws("1", "r9"), cap=20).correct
    assert plain(draws("1", "0"), cap=100).censored


def test_a_method_is_compared_with_plain_sampling_at_as_many_tokens() -> None:
    pools = [draws("0", "rp", "0", "0")] * 6 + [draws("0", "0", "0", "r")] * 2
    found = against([Run(True, 20)] * 8, pools, chance())
    assert found.plain_tokens >= 20 and found.plain_tokens <= 21
    assert (found.method.value, found.plain.value) == (1.0, 0.75)
    assert found.by.by.value == 0.25 and found.censored == 0.0


@given(st.lists(st.lists(st.sampled_from(["r1", "0", "rp2", "p3"]), min_size=1, max_size=9), min_size=1, max_size=9))
def test_plain_sampling_never_computes_less_with_a_higher_cap(marks: list[list[str]]) -> None:
    pools = [draws(*row) for row in marks]
    spent = [sum(plain(pool, cap).tokens for pool in pools) for cap in range(0, 80, 7)]
    assert spent == sorted(spent)
    cap = equal_tokens(pools, 21.0)
    assert sum(plain(pool, cap).tokens for pool in pools) >= 21.0 * len(pools) or cap == max(
        pool.prompt + sum(c.tokens for c in pool.candidates) for pool in pools
    )


def test_the_most_frequent_answer_is_the_first_seen_of_equals() -> None:
    winner = majority(draws("b", "ra", "a", "b").candidates)
    assert winner is not None and winner.key == "b"


@pytest.mark.parametrize("pools", [[], [draws()], [draws("r", "r"), draws("r")]])
def test_more_samples_than_there_are_is_refused(pools: list[Draws]) -> None:
    with pytest.raises(ValueError, match="samples a task"):
        honest(pools, chance(), samples=2)

"""Estimates against values that are known from elsewhere, and intervals that hold what they should."""

import math
from itertools import combinations

import numpy as np
import pytest

from reasoner.estimates import PowerLaw, coverage, difference, fit, mean, pass_at, share, sign_test, wilson


def chance() -> np.random.Generator:
    return np.random.default_rng(0)


def test_wilsons_interval_is_the_one_of_the_books() -> None:
    found = wilson(8, 10)
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


def test_no_trial_says_nothing_and_all_successes_are_no_certainty() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    assert wilson(20, 20).low == pytest.approx(0.8389, abs=1e-4) and wilson(20, 20).high == 1.0


@pytest.mark.parametrize(("n", "passed", "k"), [(5, 2, 1), (5, 2, 2), (5, 2, 4), (6, 0, 3), (6, 6, 1)])
def test_pass_at_k_is_the_share_of_draws_with_a_pass(n: int, passed: int, k: int) -> None:
    draws = list(combinations(range(n), k))
    assert pass_at(k, n, passed) == pytest.approx(sum(min(d) < passed for d in draws) / len(draws))


def test_more_samples_than_were_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="4 samples of 3"):
        pass_at(4, 3, 1)


def test_the_mean_of_half_solved_tasks_has_an_interval_around_a_half() -> None:
    found = mean([0.0, 1.0] * 50, chance())
    assert (
        found.value == 0.5 and found.low == pytest.approx(0.4, abs=0.02) and found.high == pytest.approx(0.6, abs=0.02)
    )


def test_a_power_law_is_found_again() -> None:
    true = PowerLaw(-2.0, -0.4)
    ks = [1, 2, 4, 8, 16, 32, 64, 100]
    # Tasks whose chance is drawn so that coverage follows the law: every sample passes with its task's own chance.
    shares = np.diff([0.0, *(true.at(k) for k in range(1, 101))])
    samples = [(100, 0 if u > true.at(100) else int(100 / (1 + np.searchsorted(np.cumsum(shares), u))))
               for u in np.linspace(0.001, 0.999, 400)]  # fmt: skip
    found = fit(samples, ks, chance())
    curve = coverage(samples, ks, chance())
    assert found is not None
    assert max(abs(found.law.at(k) - c.value) for k, c in zip(ks, curve, strict=True)) < 0.03
    assert found.a.low <= found.law.a <= found.a.high < 0 and found.b.low <= found.law.b <= found.b.high < 0
    assert found.at(1000).low < found.at(1000).value < found.at(1000).high <= 1.0


def test_points_on_a_law_give_that_law_exactly() -> None:
    from reasoner.estimates import _fitted

    k = np.array([1.0, 3.0, 10.0, 50.0])
    found = _fitted(k, np.exp(-1.5 * k**-0.7))
    assert found is not None and (found.a, found.b) == pytest.approx((-1.5, -0.7))


def test_a_curve_that_never_rises_has_no_law() -> None:
    assert fit([(4, 0)] * 3, [1, 2, 3, 4], chance()) is None
    assert fit([(4, 4)] * 3, [1, 2, 3, 4], chance()) is None
    assert fit([(4, 1)] * 3, [1, 2], chance()) is None


def test_a_small_difference_is_called_noise_and_a_large_one_is_not() -> None:
    first = [0.0, 1.0] * 20
    assert difference(first, [1.0, *first[1:]], chance()).is_noise
    found = difference(first, [1.0] * 40, chance())
    assert not found.is_noise and found.by.value == 0.5 and found.tasks == 40


def test_a_pair_that_is_the_same_throughout_differs_by_nothing() -> None:
    found = difference([1.0, 0.0], [1.0, 0.0], chance())
    assert found.is_noise and found.by.value == 0.0 and not math.isnan(found.by.low)


def test_the_sign_test_is_the_one_of_the_books() -> None:
    assert sign_test(0, 0) == 1.0 and sign_test(3, 3) == 1.0
    assert [sign_test(n, 0) for n in (1, 5, 6)] == pytest.approx([1.0, 0.0625, 0.03125])
    assert sign_test(2, 8) == pytest.approx(0.109375) == sign_test(8, 2)
    assert 0.0 < sign_test(4800, 5200) < 1e-4


@pytest.mark.parametrize(("n", "noise"), [(1, True), (3, True), (5, True), (6, False), (60, False)])
def test_a_few_tasks_that_all_turned_out_better_are_noise(n: int, noise: bool) -> None:
    found = difference([0.0] * n, [1.0] * n, chance())
    assert found.is_noise is noise and found.by.value == 1.0 and found.by.high == 1.0
    assert found.by.low < 1.0 and (n > 3 or found.by.low < 0.0)


def test_a_few_that_differ_among_many_that_do_not_are_noise() -> None:
    assert difference([0.0] * 40, [1.0] * 4 + [0.0] * 36, chance()).is_noise
    assert not difference([0.0] * 40, [1.0] * 8 + [0.0] * 32, chance()).is_noise


def test_shares_that_are_all_alike_are_no_certainty_of_other_tasks() -> None:
    assert share([1.0] * 3, chance()) == wilson(3, 3) and share([0.5] * 4, chance()) == wilson(2, 4)
    assert share([1.0, 0.5], chance()) == mean([1.0, 0.5], chance())
    assert coverage([(4, 4)] * 3, [1, 4], chance()) == [wilson(3, 3)] * 2


def test_one_stream_gives_one_report() -> None:
    values = list(np.random.default_rng(5).random(50))
    assert mean(values, chance()) == mean(values, chance())

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.verifiers.reliability import auroc, brier, brier_skill, ece, reliability

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50)


def test_a_diagram_has_a_point_for_each_stretch_that_is_not_empty() -> None:
    points = reliability([(0.05, False), (0.15, False), (0.12, True), (1.0, True)])
    assert [(p.right, p.count) for p in points] == [(0.0, 1), (0.5, 2), (1.0, 1)]


def test_the_calibration_error_by_hand() -> None:
    assert ece([(0.8, True), (0.8, False), (0.2, False)]) == pytest.approx((2 * 0.3 + 1 * 0.2) / 3)


def test_certainty_that_is_always_right_has_all_the_skill() -> None:
    pairs = [(1.0, True), (0.0, False)]
    assert (brier(pairs), brier_skill(pairs), auroc(pairs), ece(pairs)) == (0.0, 1.0, 1.0, 0.0)


def test_the_base_rate_has_no_skill() -> None:
    assert brier_skill([(0.25, True), (0.25, False), (0.25, False), (0.25, False)]) == pytest.approx(0.0)


def test_ties_rank_half() -> None:
    assert auroc([(0.5, True), (0.5, False)]) == 0.5
    assert auroc([(0.9, True), (0.5, True), (0.5, False), (0.1, False)]) == 0.875


def test_nothing_to_judge_is_no_error() -> None:
    assert (ece([]), brier([]), brier_skill([(0.3, True)]), auroc([(0.3, True)])) == (0.0, 0.0, 0.0, 0.5)


@given(PAIRS)
def test_every_measure_is_bounded(pairs: list[tuple[float, bool]]) -> None:
    assert 0 <= ece(pairs) <= 1 and 0 <= brier(pairs) <= 1 and 0 <= auroc(pairs) <= 1 and brier_skill(pairs) <= 1
    assert sum(b.count for b in reliability(pairs)) == len(pairs)


@given(PAIRS)
def test_ranking_does_not_depend_on_how_high_the_scores_are(pairs: list[tuple[float, bool]]) -> None:
    assert auroc([(2 * p - 7, right) for p, right in ((round(p, 3), r) for p, r in pairs)]) == pytest.approx(
        auroc([(round(p, 3), right) for p, right in pairs])
    )

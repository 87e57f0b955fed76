import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.errors import ConfigError
from reasoner.verifiers.calibrate import Calibration, Row, calibrated, load, save
from reasoner.verifiers.curves import Base, Isotonic, Platt, fit, isotonic, platt, sigmoid
from reasoner.verifiers.reliability import auroc, brier_skill, ece

PAIRS = st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1, max_size=80)


def drawn(count: int, seed: int) -> list[tuple[float, bool]]:
    """Scores in 0..1 that are overconfident: P(right) is sigmoid(3 (score - 0.7))."""
    chance = random.Random(seed)
    scores = [chance.random() for _ in range(count)]
    return [(s, chance.random() < sigmoid(3 * (s - 0.7))) for s in scores]


@given(PAIRS, st.sampled_from([fit, isotonic, platt]))
def test_every_curve_rises_and_is_a_probability(pairs: list[tuple[float, bool]], make: object) -> None:
    curve = make(pairs)  # type: ignore[operator]
    said = [curve(x / 4) for x in range(-40, 41)]
    assert all(0.0 <= p <= 1.0 for p in said)
    assert all(b >= a - 1e-12 for a, b in pairwise(said))


def test_how_far_a_curve_bends_depends_on_how_much_is_known() -> None:
    assert isinstance(fit(drawn(20, 1)), Base)
    assert isinstance(fit(drawn(100, 1)), Platt)
    assert isinstance(fit(drawn(1000, 1)), Isotonic)


def test_few_examples_never_make_certainty() -> None:
    assert fit([(1.0, True)] * 3)(1.0) == 0.8
    assert fit([])(0.3) == 0.5
    assert 0.9 < fit([(1.0, True)] * 500)(1.0) < 1.0


def test_a_logistic_truth_is_found_again() -> None:
    curve = platt(drawn(20_000, 2))
    assert curve.slope == pytest.approx(3.0, abs=0.15) and curve.offset == pytest.approx(-2.1, abs=0.15)


def test_a_curve_of_any_form_is_found_again() -> None:
    curve = isotonic(drawn(20_000, 3))
    assert all(abs(curve(s / 20) - sigmoid(3 * (s / 20 - 0.7))) < 0.06 for s in range(1, 20))


def test_a_source_that_is_right_the_other_way_round_is_not_believed() -> None:
    curve = platt([(-score, right) for score, right in drawn(500, 4)])
    assert curve.slope == 0.0 and curve(0.1) == curve(0.9)


def test_scores_that_are_split_by_the_truth_do_not_run_away() -> None:
    curve = platt([(0.0, False)] * 50 + [(1.0, True)] * 50)
    assert 0.9 < curve(1.0) < 1.0 and 0.0 < curve(0.0) < 0.1


def rows(count: int, seed: int) -> list[Row]:
    """Two sources that look at the same thing, and one that tosses a coin."""
    chance = random.Random(seed)
    made = []
    for at in range(count):
        right = chance.random() < 0.4
        seen = (1.2 if right else -1.2) + chance.gauss(0, 1)
        scores = {"a": sigmoid(seen), "b": seen + chance.gauss(0, 0.3), "coin": chance.random()}
        made.append(Row(scores, right, f"task {at // 4}"))
    return made


def pairs(calibration: Calibration, held_out: list[Row]) -> list[tuple[float, bool]]:
    return [(calibration.probability(row.scores) or 0.0, row.right) for row in held_out]


def test_what_is_said_of_unseen_tasks_comes_true_as_often() -> None:
    said = pairs(calibrated(rows(1_000, 5)), rows(2_000, 6))
    assert ece(said) <= 0.05 and auroc(said) >= 0.8 and brier_skill(said) >= 0.3


def test_saying_the_same_twice_is_not_counted_twice() -> None:
    """Without the last curve, two sources of one mind are far too sure."""
    found = calibrated(rows(1_000, 5))
    assert found.joint.slope < 0.75
    naive = Calibration("", found.base, found.curves)
    assert ece(pairs(naive, rows(2_000, 6))) > ece(pairs(found, rows(2_000, 6))) + 0.03


def test_a_source_that_says_nothing_counts_for_nothing() -> None:
    found = calibrated(rows(1_000, 5))
    assert found.probability({}) is None and found.probability({"unheard of": 1.0}) is None
    assert found.probability({"a": 0.9}) == found.probability({"a": 0.9, "unheard of": 1.0})


def test_with_few_rows_the_base_rate_is_said() -> None:
    found = calibrated([Row({"a": 0.9}, True), Row({"a": 0.1}, False), Row({"a": 0.2}, False)])
    assert found.probability({"a": 0.99}) == pytest.approx(0.4)


def test_a_calibration_is_kept_with_its_core(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "calibration.json"
    found = calibrated(rows(400, 7), "abc123")
    save(found, path)
    assert load(path) == found == load(path, "abc123")
    with pytest.raises(ConfigError, match="was made with the core abc123, not with other"):
        load(path, "other")


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"version": 9}', '{"version": 1, "core": "", "base": 0.5, "joint": {}, "curves": {}}', "\udcff"],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=r"calibration .*broken\.json"):
        load(path)


def test_nothing_to_go_by_is_said() -> None:
    with pytest.raises(ConfigError, match="nothing to calibrate with"):
        calibrated([])

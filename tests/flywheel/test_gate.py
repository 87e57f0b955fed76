"""A core passes the gate only when it is better beyond chance, task by task."""

import numpy as np
import pytest

from reasoner.batch import Record
from reasoner.errors import ConfigError
from reasoner.flywheel.gate import Checked, Decision, checked, decide


def said(before: str, after: str, tokens: float = 900.0) -> Decision:
    """`1` is a task that was solved, `0` one that was not; with 900 tokens a task at first."""
    first, second = (
        Checked({str(n): float(bit) for n, bit in enumerate(bits)}, used)
        for bits, used in ((before, 900.0), (after, tokens))
    )
    return decide(first, second, np.random.default_rng(0))


def test_what_is_better_on_many_tasks_is_promoted() -> None:
    decision = said("0" * 20 + "1" * 20, "1" * 40)
    assert decision.promoted and decision.by.low > 0
    assert (decision.before, decision.after, decision.tasks) == (0.5, 1.0, 40)
    assert decision.reason.startswith("+50.0 points (") and "on 40 tasks" in decision.reason


def test_what_could_be_chance_is_refused() -> None:
    assert not said("0" * 39 + "1", "0" * 38 + "11").promoted
    assert not said("01" * 20, "01" * 20).promoted
    assert not said("1" * 20, "0" * 20).promoted
    few = said("0" * 40, "0" * 35 + "1" * 5)
    assert few.by.low > 0 and not few.promoted
    assert few.reason.endswith("; the sign test takes it for chance, p 0.06")


def test_what_is_better_by_computing_more_is_refused() -> None:
    better = "0" * 20 + "1" * 20, "1" * 40
    dear = said(*better, tokens=1000)
    assert not dear.promoted and dear.by.low > 0
    assert dear.reason.endswith("900 tokens a task before, 1,000 now, which is over 10% more")
    assert said(*better, tokens=980).promoted and said(*better, tokens=400).promoted


def test_tasks_are_paired_and_not_pooled() -> None:
    """As many are solved more, once by tasks that were only won and once by tasks that were won and lost."""
    assert said("1" * 50 + "0" * 50, "1" * 50 + "1" * 6 + "0" * 44).promoted
    assert not said("1" * 50 + "0" * 50, "0" * 25 + "1" * 25 + "1" * 31 + "0" * 19).promoted


def test_only_tasks_that_both_were_graded_on_count() -> None:
    records = [
        Record("a", 0, 1, "failed", 0),
        Record("a", 0, 2, "solved", 0, spent={"prefilled": 10, "decoded": 20}),
        Record("a", 1, 1, "unsolved", 1, spent={"prefilled": 10, "decoded": 40}),
        Record("b", 0, 1, "failed", 0),
    ]
    assert checked(records) == Checked({"a": 0.5}, 40.0)
    with pytest.raises(ConfigError, match="graded on no task in common"):
        decide(Checked({"a": 1.0}, 0), Checked({"b": 1.0}, 0), np.random.default_rng(0))

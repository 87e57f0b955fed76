"""What a core learns from and what it is measured on share no task and no text."""

import pytest

from reasoner.errors import ConfigError
from reasoner.flywheel.contamination import Measured
from reasoner.flywheel.sides import apart
from reasoner.types import Suite, Task


def task(name: str, prompt: str = "", test: str = "assert f(1) == 1") -> Task:
    return Task(name, prompt or f"Do {name}.", {}, ("solution.py",), None, Suite("asserts", asserts=(test,)))


def test_one_task_in_ten_is_held_back_where_none_are_named() -> None:
    sides = apart([task(str(n)) for n in range(200)], ())
    assert 10 < len(sides.held_out) < 35 and len(sides.train) + len(sides.held_out) == 200
    assert not {t.id for t in sides.train} & {t.id for t in sides.held_out}


def test_a_task_whose_text_is_held_out_is_not_learnt_from() -> None:
    long = "Write a function that finds the first repeated character in a given string of small letters"
    held = task("h", long)
    sides = apart([task("same", long.upper()), task("near", long + ", or none"), task("other")], [held])
    assert [t.id for t in sides.train] == ["other"]
    sides = apart([task("same", long), task("other")], [task("h")], Measured.tasks([held]))
    assert [t.id for t in sides.train] == ["other"] and [t.id for t in sides.held_out] == ["h"]
    sides = apart([task("same", long.upper()), task("near", long + ", or none"), task("other")], [held])
    assert dict(sides.left_out) == {
        "tasks that are held out": 1,
        "tasks that share a run of words with one that is held out": 1,
    }


def test_a_side_without_tasks_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 tasks to learn from and 1 to be measured on"):
        apart([task("a")], [task("a")])


def test_solutions_of_other_tasks_are_barred_for_the_same_reasons() -> None:
    long = "Write a function that finds the first repeated character in a given string of small letters"
    other = "Count how often each word of a long sentence occurs and name the one that occurs most often"
    sides = apart([task("other")], [task("h", long)], Measured.tasks([task("r", other)]))
    assert sides.bar(task("same", long.upper())) == "tasks that are held out"
    assert sides.bar(task("near", long + ", or none")) == "tasks that share a run of words with one that is held out"
    assert sides.bar(task("told", other)) == "tasks that share a run of words with what is reported on"
    assert sides.bar(task("free")) == ""

"""Suites as input of the program, and its answers as reports."""

import base64
import json

import pytest

from reasoner.suites import beyond_help, report, suite_arguments
from reasoner.types import Report, Suite, Task, TestResult, ToolResult

ROW = {"name": "a", "outcome": "passed", "message": ""}


def test_a_suite_becomes_json_that_holds_all_of_it():
    suite = Suite("pytest", {"t.py": b"\xff\0"}, ("-q",), ("assert 1",), "x = 1", "m")
    arguments = json.loads(json.dumps(suite_arguments(suite)))
    assert base64.b64decode(arguments.pop("files")["t.py"]) == b"\xff\0"
    assert arguments == {
        "runner": "pytest",
        "targets": ["-q"],
        "asserts": ["assert 1"],
        "setup": "x = 1",
        "module": "m",
        "limits": {"test_s": 5.0, "total_s": 20.0},
    }


@pytest.mark.parametrize("wall_s", [0.5, 2, 10, 60])
def test_the_program_ends_before_the_call_that_runs_it(wall_s):
    limits = suite_arguments(Suite("asserts"), wall_s=wall_s)["limits"]
    assert 0 < limits["test_s"] <= limits["total_s"] < wall_s


def test_an_answer_becomes_a_report():
    rows = [ROW, {"name": "b", "outcome": "failed", "message": "no"}]
    answer = {"tests": rows, "error": "", "trust": "strong"}
    said = report(ToolResult(value=answer, wall_s=1, cpu_s=2), "bwrap", graded="asserts")
    assert (said.passed, said.counted, said.solved, said.trust, said.level) == (1, 2, False, "strong", "bwrap")
    assert said.tests[1].message == "no"
    assert (said.wall_s, said.cpu_s) == (1, 2)


@pytest.mark.parametrize("error", ["timeout", "memory", "output", "killed", "refused", "protocol", "raised"])
def test_a_call_that_failed_is_a_sentence(error):
    said = report(ToolResult(error=error, detail="10 s"), "bwrap")
    assert said.error.startswith("the tests ")
    assert said.error.endswith(": 10 s")
    assert not said.solved


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "passed",
        {},
        {"tests": None},
        {"tests": {}},
        {"tests": [None]},
        {"tests": [{**ROW, "outcome": "solved"}]},
        {"tests": [{**ROW, "outcome": ["passed"]}]},
        {"tests": [{**ROW, "name": 1}]},
        {"tests": [{**ROW, "message": None}]},
        {"tests": [ROW] * 10_001},
        {"tests": [ROW], "error": 1},
        {"tests": [ROW], "error": ["x"]},
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_an_answer_of_another_shape_is_never_a_pass(value):
    said = report(ToolResult(value=value), "bwrap")
    assert said.error == "the tests ended with an answer that cannot be read"
    assert not said.solved
    assert said.trust == "weak"


@pytest.mark.parametrize("trust", ["weak", "very strong", None, 1, ["strong"]])
def test_only_the_word_strong_is_strong(trust):
    assert report(ToolResult(value={"tests": [ROW], "error": "", "trust": trust}), graded="asserts").trust == "weak"


def test_a_suite_that_could_not_run_is_not_trusted():
    assert (
        report(ToolResult(value={"tests": [], "error": "broken", "trust": "strong"}), graded="asserts").trust == "weak"
    )


@pytest.mark.parametrize("runner", ["pytest", "unittest", None])
def test_nothing_but_graded_asserts_is_trusted_whatever_the_answer_says(runner):
    said = report(ToolResult(value={"tests": [ROW], "error": "", "trust": "strong"}), graded=runner)
    assert said.trust == "weak"


def test_texts_of_an_answer_are_cut():
    row = {"name": "n" * 9999, "outcome": "failed", "message": "m" * 9999}
    said = report(ToolResult(value={"tests": [row], "error": "e" * 9999}))
    assert max(len(said.tests[0].name), len(said.tests[0].message), len(said.error)) == 2000


def importing(test: bytes, *editable: str) -> Task:
    return Task("t", "", {}, editable, Suite("pytest", {"test_a.py": test}, ("test_a.py",)))


MISSING = Report(error="test_a.py could not be imported\nModuleNotFoundError: No module named 'numpy.linalg'")


@pytest.mark.parametrize(
    ("task", "before", "says"),
    [
        (importing(b"import numpy.linalg\n"), MISSING, "import numpy, which the sandbox does not have"),
        (importing(b"    from numpy import array\n"), MISSING, "import numpy"),
        (importing(b"import a\n", "a.py"), MISSING, ""),
        (importing(b"import numpy\n", "numpy/__init__.py"), MISSING, ""),
        (importing(b"import numpy\n", "numpy.py"), MISSING, ""),
        (importing(b"import numpy\n"), Report(error="SyntaxError in a.py"), ""),
        (importing(b"x = 1\n"), Report(error="no tests were found"), "no test was found"),
        (importing(b"import numpy\n"), Report((TestResult("a", "failed"),)), ""),
    ],
)
def test_tests_are_beyond_help_only_where_no_file_of_a_solution_could_matter(
    task: Task, before: Report, says: str
) -> None:
    said = beyond_help(task, before)
    assert says in said
    assert bool(said) == bool(says)

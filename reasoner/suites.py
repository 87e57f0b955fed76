"""A suite as the `run_tests` program reads it, and the program's answer as a report.

The answer comes out of a world in which the candidate ran, so every field of it is checked here. How the program is
run, and in which world, is not known here.
"""

import base64
import re
from pathlib import PurePosixPath
from typing import Any, get_args

from reasoner.types import Outcome, Report, Runner, Suite, Task, TestResult, ToolResult, Trust

TEST_S = 5.0
"""Seconds that one test may take."""
TOTAL_S = 20.0
"""Seconds that a suite may take where nothing else bounds it."""
_NO_TESTS = "no tests were found"
_MISSING = re.compile(r"No module named '([A-Za-z_][\w.]*)'")
_MARGIN_S = 1.0
"""What the program needs to end by itself before the world's own deadline kills it and its results with it."""
_TESTS_MAX = 10_000
_TEXT_MAX = 2_000

_ERRORS = {
    "timeout": "the tests did not end in time",
    "memory": "the tests used more memory than they may",
    "output": "the tests wrote more than they may",
    "killed": "the tests were killed",
    "refused": "the tests could not be started",
    "protocol": "the tests ended without an answer",
    "raised": "the tests ended without an answer",
}


def suite_arguments(suite: Suite, *, wall_s: float | None = None) -> dict[str, Any]:
    """The input of `tools/run_tests`: JSON values only, file contents in base64.

    `wall_s` is the deadline of the call that will run the program; the suite's own deadline is set before it, so that
    results of the tests that did end are not lost.
    """
    total = TOTAL_S if wall_s is None else max(wall_s - _MARGIN_S, wall_s / 2)
    return {
        "runner": suite.runner,
        "files": {path: base64.b64encode(data).decode("ascii") for path, data in suite.files.items()},
        "targets": list(suite.targets),
        "asserts": list(suite.asserts),
        "setup": suite.setup,
        "module": suite.module,
        "limits": {"test_s": min(TEST_S, total), "total_s": total},
    }


def report(result: ToolResult, level: str = "", *, graded: Runner | None = None) -> Report:
    """What `tools/run_tests` said, at a sandbox of this `level`. A call that failed is a report with an error.

    Trust is what the program says of itself at most, and strong only where a suite for `asserts` was `graded` in a
    world of its own: elsewhere the candidate, or other code of its world, could have had a hand in the answer.
    """
    if result.error:
        sentence = _ERRORS.get(result.error, "the tests ended without an answer")
        detail = f": {result.detail[:_TEXT_MAX]}" if result.detail else ""
        return Report((), sentence + detail, "weak", level, result.wall_s, result.cpu_s)
    answer = result.value if isinstance(result.value, dict) else {}
    tests, error = _tests(answer.get("tests")), answer.get("error", "")
    if tests is None or not isinstance(error, str):
        tests, error = (), "the tests ended with an answer that cannot be read"
    strong = graded == "asserts" and answer.get("trust") == "strong" and not error
    trust: Trust = "strong" if strong else "weak"
    return Report(tests, error[:_TEXT_MAX], trust, level, result.wall_s, result.cpu_s)


def beyond_help(task: Task, before: Report) -> str:
    """Why no solution can make the visible tests run, judged by what they said `before` there was one; else empty.

    A module that is missing may be one that the solution brings, unless the tests themselves import it and no file of
    the task could be it.
    """
    if before.error == _NO_TESTS:
        return "no test was found in its test files: name the functions test_*, or pass another test command"
    found = _MISSING.search(before.error)
    if not found or task.visible is None:
        return ""
    name = found[1].partition(".")[0]
    paths = [*task.files, *task.editable, *task.visible.files]
    brought = {PurePosixPath(path).parts[0].removesuffix(".py") for path in paths}
    wanted = re.compile(rf"^\s*(import|from)\s+{re.escape(name)}\b".encode(), re.MULTILINE)
    if name in brought or not any(wanted.search(data) for data in task.visible.files.values()):
        return ""
    return f"its tests import {name}, which the sandbox does not have: install it into a venv and pass --python VENV"


def _tests(rows: object) -> tuple[TestResult, ...] | None:
    """The rows as records, None when one of them is not what the program writes."""
    if not isinstance(rows, list) or len(rows) > _TESTS_MAX:
        return None
    tests = [_test(row) for row in rows]
    return None if None in tests else tuple(t for t in tests if t is not None)


def _test(row: object) -> TestResult | None:
    if not isinstance(row, dict):
        return None
    name, message = row.get("name"), row.get("message", "")
    outcome = next((known for known in get_args(Outcome) if known == row.get("outcome")), None)
    if not isinstance(name, str) or not isinstance(message, str) or outcome is None:
        return None
    return TestResult(name[:_TEXT_MAX], outcome, message[:_TEXT_MAX])

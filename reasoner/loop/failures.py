"""What a core can see of a failure, and what is to be said of it in a few words. Pure."""

import re
from collections.abc import Iterator

from reasoner.dialect.spoken import one_line, read_backtrack
from reasoner.suites import report
from reasoner.tree import Node
from reasoner.types import Step, Task, TestResult

_CAME = re.compile(r"\b(?:returned|is) .+, expected .+")
_RAISED = re.compile(r"[A-Za-z_][\w.]*(?:: .*)?")
_WORDS = {
    "failed": "The result is wrong.",
    "error": "It raises an error.",
    "timeout": "It takes too long.",
    "tests": "It does not run.",
    "cell": "That cell fails.",
}


def seen(task: Task, step: Step) -> bool:
    """Whether a step shows a failure: tests that did not pass, or a cell that came to an error."""
    if step.kind != "observe" or step.result is None:
        return False
    return step.result.error is not None if task.is_question else not report(step.result).solved


def lesson(task: Task, step: Step) -> str:
    """What a failure that was seen teaches, in a line: what came and what was expected, or the exception."""
    result = step.result
    if result is None:
        return ""
    if task.is_question:
        return one_line(result.detail.rstrip().rpartition("\n")[2]) or result.error or ""
    said, failed = report(result), _failed(step)
    if failed is None:
        return one_line(said.error)
    lines = [line.strip() for line in failed.message.splitlines() if line.strip()]
    return one_line(next(_told(lines), "")) or one_line(failed.name)


def lesson_of(dead: Node) -> str:
    """The one line that is kept of a dead branch: what its backtrack says, else what was thought of it."""
    last = dead.steps[-1]
    if last.kind == "backtrack":
        return (read_backtrack(last.text) or (0, ""))[1]
    thought = dead.step("reflect")
    return one_line(thought.text) if thought else ""


def wrong(task: Task, step: Step) -> str:
    """What kind of failure it is, in three or four words."""
    failed = _failed(step)
    if task.is_question:
        return _WORDS["cell"]
    return _WORDS["tests"] if failed is None else _WORDS.get(failed.outcome, _WORDS["failed"])


def _failed(step: Step) -> TestResult | None:
    """The first test that did not pass; None where none could run."""
    said = report(step.result) if step.result else None
    return None if said is None or said.error else next(iter(said.failed), None)


def _told(lines: list[str]) -> Iterator[str]:
    """The lines of a test's message, the one that says most first."""
    yield from (found[0] for line in lines if (found := _CAME.search(line)))
    yield from (line for line in lines if _RAISED.fullmatch(line))
    yield from lines

"""What a search came to, for a person and for a script: the solution as a diff, how it was verified, what it cost."""

import base64
import difflib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rich.text import Text

from reasoner.repl.board import Board
from reasoner.repl.printable import gist, one_line, printable
from reasoner.types import Files, Report, Result, Task

_FAILURES = 5


@dataclass(frozen=True)
class Answer:
    """A result with what only the run knows: how many attempts there were, which one won, where the trace is."""

    task: Task
    result: Result
    attempts: int
    winner: int | None
    trace: Path
    goes_on: str = ""
    """The command that goes on with a suspended search."""

    @classmethod
    def of(cls, task: Task, result: Result, board: Board, trace: Path, goes_on: str = "") -> Self:
        """What a search came to that `board` has listened to."""
        winner = board.owner(result.node) if result.node is not None else None
        return cls(task, result, len(board.attempts), winner.number if winner else None, trace, goes_on)

    def diff(self) -> bytes:
        """The solution against the task's files, exact, as `git apply` takes it."""
        return b"".join(
            part for path, new in self.result.files.items() for part in _diff(path, self.task.files.get(path), new)
        )

    def summary(self, width: int = 100) -> Iterator[str]:
        """Lines for a person; every text from outside is cut to one printable line of `width` characters."""
        result = self.result
        yield f"{_HEADS[result.status]}{self._why()}"
        if result.report:
            runner = self.task.visible.runner if self.task.visible else "none"
            yield one_line(f"verified  {_said(result.report)} ({runner}), once more in a fresh world", width)
            yield f"          sandbox {result.level}, {_TRUST[result.report.trust]}"
            yield from _failures(result.report, width)
        if result.hidden:
            yield one_line(f"hidden    {_said(result.hidden)}, {_TRUST[result.hidden.trust]}", width)
        yield from self._cost()
        yield f"trace     {self.trace}"
        if self.goes_on:
            yield f"go on     {self.goes_on}"

    def json(self) -> dict[str, Any]:
        """Everything that the summary and the diff say, as JSON values."""
        result = self.result
        return {
            "task": result.task_id,
            "status": result.status,
            "reason": result.stop.reason,
            "core": result.core,
            "sandbox": result.level,
            "files": {path: _value(content) for path, content in result.files.items()},
            "verified": _report(result.report),
            "hidden": _report(result.hidden),
            "attempts": self.attempts,
            "winner": self.winner,
            "spent": dict(result.spent),
            "trace": str(self.trace),
            "resume": self.goes_on or None,
            "answer": result.answer or None,
        }

    def _why(self) -> str:
        reason = self.result.stop.reason
        if self.winner is None:
            return reason
        which = "attempt" if self.result.status == "solved" else "the best is attempt"
        return f"{reason}; {which} {self.winner} of {self.attempts}"

    def _cost(self) -> Iterator[str]:
        spent = self.result.spent
        computed = spent["prefilled"] + spent["decoded"] + spent["verifier"]
        judged = f", {spent['verifier']:,} to judge" if spent["verifier"] else ""
        yield (
            f"cost      {computed:,} tokens: {spent['prefilled']:,} read, {spent['decoded']:,} written{judged}"
            f" ({spent['cached']:,} more from the cache)"
        )
        attempts = f"{self.attempts} attempt{'s' if self.attempts != 1 else ''}"
        paid = f", {spent['money']:.6g} in money" if spent.get("money") else ""
        yield f"          {attempts}, {spent['wall_s']:.1f} s, of tools {spent['tool_cpu_s']:.1f} s CPU{paid}"
        if calls := spent.get("saved_calls"):
            runs = f"{calls} run{'s' if calls > 1 else ''} of the tests"
            yield f"          not made: {runs} whose end was known, {spent['saved_cpu_s']:.1f} s CPU"
        elif saved := spent.get("saved_cpu_s"):
            yield f"          not run to their end: tests that were failed already, {saved:.1f} s CPU"


_HEADS = {"solved": "solved: ", "answered": "answered: ", "unsolved": "not solved: ", "suspended": ""}
"""A search that was suspended says so in its reason."""
_TRUST = {"strong": "trust strong", "weak": "trust weak: tests and code share a process"}


def _said(report: Report) -> str:
    if report.error:
        return f"no test ran: {one_line(report.error, 1000)}"
    return f"{report.passed}/{report.counted} tests pass"


def _failures(report: Report, width: int) -> Iterator[str]:
    for test in report.failed[:_FAILURES]:
        yield "  " + one_line(f"✗ {test.name} {test.outcome}: {gist(test.message)}", width - 2)
    if len(report.failed) > _FAILURES:
        yield f"  … and {len(report.failed) - _FAILURES} more"


def _report(report: Report | None) -> dict[str, Any] | None:
    if report is None:
        return None
    return {**asdict(report), "passed": report.passed, "counted": report.counted, "solved": report.solved}


def _value(content: bytes) -> Any:
    """A file's text; of one that is not UTF-8, its base64."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def _diff(path: str, old: bytes | None, new: bytes) -> Iterator[bytes]:
    before = "/dev/null" if old is None else f"a/{path}"
    if old == new:
        return
    if b"\0" in new or b"\0" in (old or b""):
        yield f"Binary files {before} and b/{path} differ\n".encode()
        return
    lines = difflib.diff_bytes(
        difflib.unified_diff, _lines(old or b""), _lines(new), before.encode(), f"b/{path}".encode(), lineterm=b"\n"
    )
    for line in lines:
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"


def _lines(content: bytes) -> list[bytes]:
    """Lines with their ends, split at line feeds alone, as `patch` counts them."""
    return [line + b"\n" for line in content.split(b"\n")[:-1]] + [rest for rest in content.split(b"\n")[-1:] if rest]


def coloured(diff: bytes) -> Iterator[Text]:
    """The lines of a diff for a terminal, with nothing in them that it obeys."""
    for line in diff.decode("utf-8", "replace").splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        yield Text(printable(line), "bold" if line[:3] in ("+++", "---") else style)


def changed(task: Task, files: Files) -> Files:
    """Those files of a solution that differ from the task's own."""
    return {path: content for path, content in files.items() if task.files.get(path) != content}

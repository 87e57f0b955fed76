"""What became of a task, as a line of `results.jsonl`. Values only: who writes a line, and when, is not known here."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import msgspec

from reasoner.batch.timing import Times
from reasoner.errors import TraceError
from reasoner.ledger import Cost
from reasoner.types import Files, Json, Report, Result, Status

Outcome = Status | Literal["failed", "unusable"]
"""`failed`: our surroundings failed, so nothing is known of the task and it is tried again. `unusable`: the task itself
cannot be put to a model, or its tests cannot run; or a server that completes others does not take it."""
Key = tuple[str, int]
"""A task's id and an epoch: what has at most one last word."""
_MEASURED = ("attempt", "trace", "spent", "lost", "times")


@dataclass(frozen=True)
class Tests:
    """What a suite said, in numbers; the trace has the rest."""

    __test__ = False
    passed: int
    counted: int
    error: str = ""
    trust: str = ""


@dataclass(frozen=True)
class Record:
    """One attempt at one task."""

    task: str
    epoch: int
    attempt: int
    """Counts from 1; those that were broken off have a trace and no record."""
    outcome: Outcome
    seed: int
    reason: str = ""
    """Why the search stopped, or what failed."""
    answer: str = ""
    files: Mapping[str, Any] = field(default_factory=dict)
    """The solution: texts, or `{"base64": …}` for what is not UTF-8."""
    visible: Tests | None = None
    hidden: Tests | None = None
    core: str = ""
    level: str = ""
    trace: str = ""
    """Where the whole search is recorded, beside the file of results."""
    spent: Json = field(default_factory=dict)
    lost: Json = field(default_factory=dict)
    """What attempts before this one that were broken off, and have no record, are known to have spent."""
    times: Times = Times()
    confidence: float | None = None
    """How sure the search was of its answer when it ended, where something said so."""

    @property
    def key(self) -> Key:
        return self.task, self.epoch

    @property
    def is_last_word(self) -> bool:
        """Whether the task need not be tried again."""
        return self.outcome != "failed"

    @property
    def is_graded(self) -> bool:
        return self.outcome in ("solved", "unsolved", "suspended")

    @property
    def tokens(self) -> int:
        """Tokens that were computed."""
        return _cost(self.spent).tokens

    @property
    def cost(self) -> Cost:
        """What it spent, and attempts before it that were broken off."""
        return _cost(self.spent) + _cost(self.lost)

    def compared(self) -> dict[str, Any]:
        """What two runs of one seed have in common: all but times, costs (a cache decides them) and counts of tries."""
        return {name: value for name, value in asdict(self).items() if name not in _MEASURED}


def record_of(result: Result, *, epoch: int, attempt: int, seed: int, trace: str, times: Times) -> Record:
    return Record(
        result.task_id,
        epoch,
        attempt,
        result.status,
        seed,
        result.stop.reason,
        result.answer,
        _texts(result.files),
        _tests(result.report),
        _tests(result.hidden),
        result.core,
        result.level,
        trace,
        dict(result.spent),
        times=times,
        confidence=result.stop.confidence,
    )


def _cost(spent: Json) -> Cost:
    return Cost(**{f.name: spent.get(f.name, 0) for f in fields(Cost)})


def encode(record: Record) -> bytes:
    """One line, its newline included."""
    return msgspec.json.encode(record) + b"\n"


def decode(line: bytes) -> Record:
    """Raises `TraceError` where a line is no record."""
    try:
        return msgspec.json.decode(line, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TraceError(f"not a record of a run ({error})") from error


def read_records(path: Path, cut: Callable[[int], None] | None = None) -> Iterator[Record]:
    """Records in the order of writing. A last line without its newline was never finished, and is left out; `cut` is
    told where it begins, in bytes.

    Raises:
        TraceError: the file cannot be read, or a line is no record.
    """
    try:
        with path.open("rb") as file:
            at = 0
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    if cut:
                        cut(at)
                    return
                at += len(line)
                try:
                    yield decode(line)
                except TraceError as error:
                    raise TraceError(f"{path}, line {number}: {error}") from error
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error.strerror}") from error


def _texts(files: Files) -> dict[str, Any]:
    return {path: _text(content) for path, content in files.items()}


def _text(content: bytes) -> Any:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def _tests(report: Report | None) -> Tests | None:
    return Tests(report.passed, report.counted, report.error, report.trust) if report else None

"""What a run recorded, task by task, with what its traces and its problems add: for those who write it down in another
form. One task is held at a time; what a trace or the problems no longer say is left open, never guessed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from reasoner.batch import Record, read_problems, read_records
from reasoner.batch.folder import CONFIG, RESULTS
from reasoner.batch.records import Key
from reasoner.errors import TaskError, TraceError
from reasoner.tasks import Visible
from reasoner.trace import Trace, read
from reasoner.types import Json, Task


@dataclass(frozen=True)
class Source:
    """The problems of a run, as they were when it began."""

    path: str = ""
    sha256: str = ""
    visible: Visible = "all"


@dataclass(frozen=True)
class Weights:
    name: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Told:
    """What a run was told, from its `config.json`; `config` is the configuration, nested."""

    version: str = ""
    config: Json = field(default_factory=dict)
    problems: Source = Source()
    core: Weights = Weights()
    sandbox: str = ""


@dataclass(frozen=True)
class LastWord:
    """The last record of a task in an epoch, and what else is known of it."""

    record: Record
    failures: tuple[str, ...] = ()
    """Why earlier attempts failed, in their order."""
    trace: Trace | None = None
    task: Task | None = None

    @property
    def prompt(self) -> str:
        """The task's own text; empty where neither trace nor problems are left."""
        known = self.trace.began.task if self.trace else self.task
        return known.prompt if known else ""

    @property
    def target(self) -> str:
        """A question's reference answer; empty where there is none, or the problems are gone or have changed."""
        return (self.task.answer or "") if self.task else ""


def told(run: Path) -> Told:
    """Raises `TraceError` where `config.json` cannot be read; a run that was killed at once has none."""
    path = run / CONFIG
    try:
        return msgspec.json.decode(path.read_bytes(), type=Told) if path.exists() else Told()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TraceError(f"{path} cannot be read ({error})") from error


def last_words(run: Path, source: Source) -> Iterator[LastWord]:
    """Of each task in each epoch, in the order of writing. Raises `TraceError` where the records cannot be read."""
    last = {record.key: number for number, record in enumerate(read_records(run / RESULTS))}
    tasks = _tasks(source)
    failures: dict[Key, tuple[str, ...]] = defaultdict(tuple)
    for number, record in enumerate(read_records(run / RESULTS)):
        if last.get(record.key) == number:
            yield LastWord(record, failures.pop(record.key, ()), _trace(run, record), tasks.get(record.task))
        elif record.outcome == "failed":
            failures[record.key] += (record.reason,)


def _tasks(source: Source) -> Mapping[str, Task]:
    """By id, if the problems are where they were and what they were."""
    try:
        found = read_problems(Path(source.path), visible=source.visible) if source.path else None
    except (TaskError, OSError):
        return {}
    return {task.id: task for task in found.tasks} if found and found.sha256 == source.sha256 else {}


def _trace(run: Path, record: Record) -> Trace | None:
    try:
        found = read(run / record.trace)
        return found if found.began else None
    except TraceError:
        return None

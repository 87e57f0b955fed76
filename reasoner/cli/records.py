"""The recorded searches of a folder: listed newest first, found by a part of their name. Nothing is resumed here."""

import difflib
import math
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from reasoner.errors import ConfigError, TraceError
from reasoner.ledger import Budget
from reasoner.models.store import home
from reasoner.repl.printable import one_line
from reasoner.trace import Trace, is_written, read

_SHOWN = 20
_GOES_ON = ("suspended", "broken off")


@dataclass(frozen=True)
class Record:
    """One trace of a folder. `status` is that of its result, or what stands in its way: `broken off` before there was
    one, `running` while a process writes it, `unreadable`."""

    id: str
    path: Path
    task: str
    status: str
    tokens: int
    seconds: float
    changed: float
    """Seconds since the epoch."""

    def json(self) -> dict[str, object]:
        return {**asdict(self), "path": str(self.path)}


def store() -> Path:
    """Where traces go if nothing else is said."""
    return home() / "runs"


def records(folder: Path) -> Iterator[Record]:
    """Newest first, each read when it is asked for."""
    for path in _paths(folder):
        changed = path.stat().st_mtime
        try:
            past = read(path)
            task, spent, seconds = past.began.task.id, past.spent.tokens, past.seconds
            yield Record(path.stem, path, task, _status(path, past), spent, seconds, changed)
        except TraceError:
            yield Record(path.stem, path, "", "unreadable", 0, 0.0, changed)


def listing(folder: Path, width: int, now: float) -> Iterator[str]:
    """A table of the newest for a person, and what can be done with it."""
    shown = list(islice(records(folder), _SHOWN))
    if not shown:
        return
    names = max(len(record.id) for record in shown)
    for record in shown:
        spent = f"{record.tokens:>8,} tokens {record.seconds:>6.0f} s"
        yield one_line(f"{record.id:<{names}}  {record.status:<10} {spent}  {_ago(now - record.changed)}", width)
    older = len(_paths(folder)) - len(shown)
    if older > 0:
        yield f"… and {older} older ones"
    going = next((record for record in shown if record.status in _GOES_ON), None)
    if going:
        yield ""
        yield f"go on with one of them: {command(going.path)}"


def find(name: str, folder: Path) -> Path:
    """A trace by its path, by its name, or by a part that no other name has.

    Raises:
        ConfigError: there is none, or more than one.
    """
    given = Path(name).expanduser()
    if given.is_file():
        return given
    paths = _paths(folder)
    exact = [path for path in paths if path.stem == name.removesuffix(".jsonl")]
    fitting = exact or [path for path in paths if name in path.stem]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        some = ", ".join(path.stem for path in fitting[:3])
        raise ConfigError(
            f"{len(fitting)} recorded searches have {name!r} in their name, such as {some}: say more of it"
        )
    if given.is_dir() or len(given.parts) > 1:
        raise ConfigError(_misled(name, given))
    if not paths:
        raise ConfigError(f"there is no recorded search in {folder}: solve a task first, or give --traces")
    near = difflib.get_close_matches(name, [path.stem for path in paths], 1, cutoff=0.0)
    raise ConfigError(f"there is no recorded search {name!r} in {folder}: the nearest is {near[0]}")


def _misled(name: str, given: Path) -> str:
    """What is wrong with a path that is no trace's."""
    if not given.is_dir():
        there = [path.name for path in _paths(given.parent)]
        alike = [each for each in there if given.stem in each]
        near = difflib.get_close_matches(given.name, alike or there, 1, cutoff=0.0)
        return f"{name} does not exist: " + (f"the nearest there is {near[0]}" if near else "give the path of a record")
    own = next(iter(_paths(given / "traces")), None)
    if own:
        return f"{name} is a run, and a search is wanted: give one of its traces, such as {own}"
    return f"{name} is a directory: give the path of a record, or a part of its name"


def command(path: Path, reason: str = "", budget: Budget | None = None) -> str:
    """What is typed to go on with a trace: with as much budget again, where `reason` says that it is spent."""
    words = ["reasoner", "resume", path.stem if path.parent == store() else str(path)]
    bound = budget or Budget()
    for dimension, flag, value in (
        ("tokens", "--add", bound.tokens),
        ("wall_s", "--add-time", math.ceil(bound.wall_s or 0)),
        ("tool_cpu_s", "--add-cpu", math.ceil(bound.tool_cpu_s or 0)),
        ("money", "--add-money", bound.money),
    ):
        if value and reason.endswith(f": {dimension}"):
            words += [flag, f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)


def _paths(folder: Path) -> list[Path]:
    found = folder.glob("*.jsonl") if folder.is_dir() else ()
    return sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True)


def _status(path: Path, past: Trace) -> str:
    if is_written(path):
        return "running"
    if past.result is None:
        return "broken off"
    return past.result.status


def _ago(seconds: float) -> str:
    for size, unit in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            count = int(seconds / size)
            return f"{count} {unit}{'s' if count != 1 else ''} ago"
    return "just now"

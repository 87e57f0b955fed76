"""The directory of one run: `config.json`, the append-only `results.jsonl`, `traces/`, and at last `summary.json`.

A directory belongs to the first run that began in it: one with another configuration or other problems is refused, and
so is a second process. A record is there when its newline is on disk; half a record, which a killed process may leave,
is taken away before anything is added.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec

from reasoner.batch.problems import Problems
from reasoner.batch.records import Key, Record, encode, read_records
from reasoner.errors import ConfigError, TraceError
from reasoner.ledger import Cost
from reasoner.trace import read
from reasoner.types import Json

RESULTS, CONFIG, SUMMARY, TRACES = "results.jsonl", "config.json", "summary.json", "traces"
_FREE = frozenset({"config.traces", "config.core.threads", "config.core.url", "problems.path", "sandbox"})
"""What may differ between a run and its resumption: it says where and how fast, not what."""
_ABSENT = "nothing"


def held_settings(config: Json, problems: Problems) -> Json:
    """What a directory's run is told by, as far as it is known before anything is opened. `config` is a resolved one:
    `Config.resolved()`, or what a `runtime.Reasoner` has."""
    asked = {"path": str(problems.path), "sha256": problems.sha256, "visible": problems.visible}
    return {"version": version("reasoner"), "config": config, "problems": asked}


class Folder:
    """A context manager that holds the directory's lock.

    Args:
        path: made if it is not there.
        settings: what decides the results, see `held_settings`, and `confirm` for what is known later.
        force_new: an earlier run's directory is kept under another name, and a new one begun.

    Raises:
        ConfigError: the directory is another run's, is in use, or is no run's at all.
        TraceError: it cannot be written, or its results cannot be read.
    """

    def __init__(self, path: Path, settings: Json, *, force_new: bool = False) -> None:
        self.path = path
        self.moved: Path | None = None
        """Where an earlier run's directory was put."""
        self._settings = _plain(settings)
        self._results = self._opened()
        try:
            if force_new and self.began:
                self._move_away()
            self._check()
            self.done, self.failed = set[Key](), dict[Key, int]()
            """What has its last word; and what has none but failed before, with its last attempt that has a record."""
            self.spent = Cost()
            """By all that has a record."""
            self._read()
        except BaseException:
            self._results.close()
            raise

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        self._results.close()

    @property
    def traces(self) -> Path:
        return self.path / TRACES

    def confirm(self, late: Json) -> None:
        """Add to the settings what only an opened core and sandbox know, and write them down if this run is the first.

        Raises:
            ConfigError: the directory's run had another core.
        """
        self._settings = _plain({**self._settings, **late})
        if self.began:
            self._check()
        else:
            self._write(CONFIG, self._settings)

    def append(self, record: Record) -> None:
        """Keep a record: it is on disk when this returns, and nothing of it is there when it cannot be."""
        results = self._results.fileno()
        before = os.fstat(results).st_size
        try:
            left = memoryview(encode(record))
            while left:
                left = left[self._results.write(left) :]
            os.fsync(results)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(results, before)
            raise self._unwritable(error) from error
        self._note(record)

    def records(self) -> Iterator[Record]:
        return read_records(self.path / RESULTS)

    def trace_of(self, key: Key) -> tuple[int, Path]:
        """The first attempt at a task that has no trace yet, and where its trace goes."""
        attempt = 1
        while (path := self._trace(key, attempt)).exists():
            attempt += 1
        return attempt, path

    @property
    def began(self) -> bool:
        """Whether a core was ever opened for what is here."""
        return (self.path / CONFIG).exists()

    def lost(self, key: Key, number: int) -> Cost:
        """What attempts before this `number` that were broken off are known to have spent."""
        spent = Cost()
        for attempt in range(self.failed.get(key, 0) + 1, number):
            with suppress(TraceError):
                spent += read(self._trace(key, attempt)).spent
        return spent

    def write_summary(self, summary: Json) -> None:
        """Nothing is written where no run began: it has come to nothing."""
        if self.began:
            self._write(SUMMARY, summary)

    def _trace(self, key: Key, attempt: int) -> Path:
        task, epoch = key
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", task).strip(".-")[:60] or "task"
        return self.traces / f"{name}-{hashlib.sha256(task.encode()).hexdigest()[:6]}.e{epoch}.{attempt}.jsonl"

    def _opened(self) -> FileIO:
        """The results, locked, in a directory that is a run's or can become one."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not self.began and (strange := self._strange()):
                raise ConfigError(f"{self.path} holds {strange} and is no run's directory: choose another with -o")
            results = (self.path / RESULTS).open("ab", buffering=0)
        except (FileExistsError, NotADirectoryError) as error:
            raise ConfigError(f"{self.path} is a file, or in the place of one: give a directory with -o") from error
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(results, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            results.close()
            raise ConfigError(f"another process runs in {self.path}: wait for it, or choose another with -o") from error
        return results

    def _strange(self) -> str:
        """Something that a run which ended at once would not have left."""
        ours = {RESULTS, TRACES, SUMMARY, f"{CONFIG}.new", f"{SUMMARY}.new"}
        left = sorted(each.name for each in self.path.iterdir() if each.name not in ours)
        results = self.path / RESULTS
        return left[0] if left else RESULTS if results.exists() and results.stat().st_size else ""

    def _move_away(self) -> None:
        number = 1
        while (aside := self.path.with_name(f"{self.path.resolve().name}.old-{number}")).exists():
            number += 1
        try:
            self.path.rename(aside)
        except OSError as error:
            raise self._unwritable(error) from error
        self.moved = aside
        self._results.close()
        self._results = self._opened()

    def _check(self) -> None:
        """Compare with what the directory's run began with, as far as it is known yet."""
        path = self.path / CONFIG
        if not self.began:
            return
        try:
            held = flat(msgspec.json.decode(path.read_bytes()))
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise TraceError(f"{path} cannot be read ({error}): begin anew with --force-new") from error
        wanted = flat(self._settings)
        sections = {key.partition(".")[0] for key in wanted}
        for key in sorted((wanted.keys() | held.keys()) - _FREE):
            before, now = held.get(key, _ABSENT), wanted.get(key, _ABSENT)
            if key.partition(".")[0] in sections and before != now:
                raise ConfigError(
                    f"{self.path} holds a run with {key} = {before}, this one has {now}: choose another directory with"
                    " -o, or --force-new, which keeps that run under another name"
                )

    def _read(self) -> None:
        path = self.path / RESULTS
        ends: list[int] = []
        for record in read_records(path, ends.append):
            self._note(record)
        for end in ends:
            os.truncate(path, end)

    def _note(self, record: Record) -> None:
        self.spent += record.cost
        if record.is_last_word:
            self.done.add(record.key)
            self.failed.pop(record.key, None)
        else:
            self.failed[record.key] = record.attempt

    def _write(self, name: str, value: Json) -> None:
        """All of it or nothing, whatever ends the process."""
        new = self.path / f"{name}.new"
        try:
            with new.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            new.rename(self.path / name)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> TraceError:
        return TraceError(f"cannot write {self.path} ({error.strerror}): free some space, or choose another with -o")


def _plain(value: Json) -> Any:
    """As it will be read back."""
    return msgspec.json.decode(msgspec.json.encode(value))


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """`{"a": {"b": 1}}` -> `{"a.b": 1}`."""
    if not isinstance(value, Mapping):
        return {path: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found.update(flat(inner, f"{path}.{key}" if path else key))
    return found

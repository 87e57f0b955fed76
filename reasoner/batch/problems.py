"""Which tasks a run is about: all of a file or a directory, of these the chosen ones, in the order asked for."""

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reasoner import tasks
from reasoner.errors import ConfigError, TaskError
from reasoner.tasks import Visible
from reasoner.types import Task


@dataclass(frozen=True)
class Selection:
    """`pattern` is searched for in ids; `shuffle` is a seed; `limit` counts after both. None and "" choose all."""

    pattern: str = ""
    shuffle: int | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Problems:
    """The tasks of a run. `bad` says what is wrong with lines and directories that cannot be used."""

    path: Path
    tasks: tuple[Task, ...]
    sha256: str
    """Of the file; of a directory, of all that its tasks hold."""
    bad: tuple[str, ...] = ()
    visible: Visible = "all"

    def chosen(self, selection: Selection) -> list[Task]:
        """Raises `ConfigError` where the pattern is none, or no task has it."""
        try:
            pattern = re.compile(selection.pattern)
        except re.error as error:
            raise ConfigError(f"--filter {selection.pattern!r} is no regular expression: {error}") from error
        found = [task for task in self.tasks if pattern.search(task.id)]
        if not found:
            some = ", ".join(task.id for task in self.tasks[:3])
            raise ConfigError(f"no task of {self.path} has an id with {selection.pattern!r}: ids are such as {some}")
        if selection.shuffle is not None:
            random.Random(selection.shuffle).shuffle(found)
        return found[: selection.limit]


def read_problems(path: Path, *, visible: Visible = "all", strict: bool = False) -> Problems:
    """All tasks at `path`; see `tasks.read_all`.

    Raises:
        TaskError: there is none that can be used; or, with `strict`, one cannot be.
    """
    bad: list[str] = []

    def take(error: TaskError) -> None:
        bad.append(str(error))

    found = tuple(tasks.read_all(path, visible, None if strict else take))
    if not found:
        raise TaskError(f"{path} holds no task that can be used" + (f": {bad[0]}" if bad else ""))
    return Problems(path, found, _digest(path, found), tuple(bad), visible)


def _digest(path: Path, found: Sequence[Task]) -> str:
    if path.is_dir():
        content = hashlib.sha256()
        for task in found:
            content.update(msgspec.json.encode(task, order="deterministic"))
        return content.hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

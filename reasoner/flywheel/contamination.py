"""Whether training rows hold what a core is to be measured on.

The measure is that of GPT-3's authors (Brown et al., 2005.14165, appendix C): a text is found in another when they
share a run of 13 words in a row, or all of its words where it has fewer but at least 8. Words are runs of letters and
digits in lower case. What a file says of a task is its prompt, its solution and its tests.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasoner.errors import ConfigError
from reasoner.types import Task

RUN, LEAST = 13, 8
_WORD = re.compile(r"\w+")
_FIELDS = ("prompt", "text", "question", "code", "answer", "canonical_solution", "test", "test_list")


@dataclass(frozen=True)
class Found:
    """A training task, and the task of the measuring set whose text it holds."""

    task: str
    against: str
    words: str


class Measured:
    """The texts that a core is to be measured on, each with the id of its task."""

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        self._runs: dict[tuple[str, ...], str] = {}
        self._whole: dict[tuple[str, ...], str] = {}
        self._sizes: set[int] = set()
        for task, text in texts:
            self._take(task, _words(text))

    @classmethod
    def files(cls, paths: Iterable[Path]) -> "Measured":
        """The texts of files. Raises `ConfigError` when one cannot be read."""
        return cls((task, text) for path in paths for task, texts in _records(path) for text in texts)

    @classmethod
    def tasks(cls, tasks: Iterable[Task]) -> "Measured":
        """What tasks ask, and their tests where these are lines of code."""
        return cls((task.id, text) for task in tasks for text in (task.prompt, *_asserts(task)))

    def same(self, text: str) -> str | None:
        """The task that has this very text, word for word."""
        return self._whole.get(tuple(_words(text)))

    def find(self, task: str, texts: Iterable[str]) -> Found | None:
        """The first text that stands in one of `texts`."""
        for text in texts:
            words = _words(text)
            for size in self._sizes:
                for run in _runs(words, size):
                    if (against := self._runs.get(run)) is not None:
                        return Found(task, against, " ".join(run))
        return None

    def _take(self, name: str, words: list[str]) -> None:
        self._whole.setdefault(tuple(words), name)
        size = min(RUN, len(words))
        if size < LEAST:
            return
        self._sizes.add(size)
        for run in _runs(words, size):
            self._runs.setdefault(run, name)


def _asserts(task: Task) -> Iterator[str]:
    for suite in (task.visible, task.hidden):
        yield from suite.asserts if suite else ()


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _runs(words: list[str], size: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[at : at + size]) for at in range(len(words) - size + 1))


def _records(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Id and texts of every record; of a file that is no JSONL, the whole text as one record."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path} to keep its tasks out ({error}): give a JSONL file") from error
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line) if line.strip() else None
        except ValueError:
            yield f"{path.name}:{number}", [line]
            continue
        if isinstance(record, dict):
            yield str(record.get("task_id", f"{path.name}:{number}")), list(_texts(record))


def _texts(record: Mapping[str, Any]) -> Iterator[str]:
    for name in _FIELDS:
        value = record.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, str))

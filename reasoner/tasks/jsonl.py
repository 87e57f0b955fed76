"""Lines of a JSONL file, plain or gzipped: each an object with an id of its own. What it means is read elsewhere."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from reasoner.errors import TaskError

_LINE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Line:
    """One object and where it stands, so that whoever reads a field can say so."""

    path: Path
    number: int
    record: dict[str, Any]

    @property
    def id(self) -> str:
        """The record's `task_id`, a number or a text; a question without one is known by its line."""
        value = self.record.get("task_id", self.number if self.record.keys() & {"question", "messages"} else None)
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            said = "missing" if value is None else repr(value)
            raise self.error(f"the field task_id is {said}, give each task an id of its own")
        return self._clean("task_id", str(value))

    def error(self, what: str) -> TaskError:
        return TaskError(f"{self.path}, line {self.number}: {what}")

    def text(self, field: str, *, default: str | None = None) -> str:
        value = self.record.get(field, default)
        if not isinstance(value, str):
            raise self.error(self._wrong(field, "a text"))
        return self._clean(field, value)

    def texts(self, field: str) -> list[str]:
        value = self.record.get(field)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(self._wrong(field, "a list of texts"))
        return [self._clean(field, item) for item in value]

    def _clean(self, field: str, value: str) -> str:
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise self.error(f"the field {field} holds half a character (a lone surrogate), take it out")
        return value

    def _wrong(self, field: str, wanted: str) -> str:
        return f"the field {field} is {'not' if field in self.record else 'missing, it must be'} {wanted}"


def read_lines(path: Path, bad: Callable[[TaskError], None] | None = None) -> Iterator[Line]:
    """Objects in the file's order; blank lines are passed over.

    Raises:
        TaskError: the file cannot be read, or a line cannot be used and `bad` is not there to take it; says its number.
    """
    seen: dict[str, int] = {}
    for number, data in _raw(path):
        try:
            line = Line(path, number, _object(path, number, data)) if data.strip() else None
            if line and line.id in seen:
                raise line.error(f"the task_id {line.id!r} is taken by line {seen[line.id]}, give each task its own")
        except TaskError as error:
            if bad is None:
                raise
            bad(error)
            continue
        if line:
            seen[line.id] = number
            yield line


def _raw(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers; one that is too long is cut there, its rest is passed over."""
    try:
        with _opened(path) as file:
            number, ended = 1, True
            while data := file.readline(_LINE_BYTES + 1):
                if ended:
                    yield number, data
                ended = data.endswith(b"\n")
                number += ended
    except (OSError, EOFError, zlib.error) as error:
        raise TaskError(f"{path} cannot be read: {error}") from error


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _object(path: Path, number: int, data: bytes) -> dict[str, Any]:
    if len(data) > _LINE_BYTES:
        raise TaskError(f"{path}, line {number}: longer than {_LINE_BYTES >> 20} MiB, is it JSONL?")
    try:
        record = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path}, line {number}: not JSON ({error}), write one object a line") from error
    if not isinstance(record, dict):
        raise TaskError(f"{path}, line {number}: not a JSON object, write one object a line")
    return record

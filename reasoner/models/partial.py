"""A download in progress: the bytes so far, their running SHA-256, and a note that says how to go on after a stop."""

import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any

from reasoner.errors import ModelError

_BLOCK = 2**20


class Unavailable(ModelError):
    """A source cannot give the file; the next one may. Its text is one line without the source's name."""


class Partial:
    """The file at `path`, which grows to `limit` bytes. Beside it lies a note: origin, mark, bytes that are good.

    Used in a `with`; leaving it keeps file and note for the next try.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = path, limit
        self.size = 0
        self.mark = ""
        """What the source needs to go on: an ETag, a number of parts."""
        self._origin = ""
        self._note = path.with_name(path.name + ".json")
        self._sha = hashlib.sha256()

    def __enter__(self) -> "Partial":
        self.path.touch()
        self._file = self.path.open("r+b", buffering=0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def resume(self, origin: str) -> None:
        """Take up what an earlier try from the same origin left, or begin anew."""
        note = _read(self._note)
        left = self.path.stat().st_size
        good = left if note.get("size") is None else note["size"]
        self.restart()
        self._origin = origin
        if note.get("origin") == origin and isinstance(good, int) and 0 <= good <= min(left, self.limit):
            self.mark = str(note.get("mark", ""))
            self._rehash(good)
        self._cut()

    def restart(self) -> None:
        """Forget every byte; they are gone from the disk with the next write."""
        self.size, self.mark, self._sha = 0, "", hashlib.sha256()
        self._file.seek(0)

    def keep(self, mark: str, size: int | None = None) -> None:
        """Note how to go on: with `mark`, after `size` bytes, or after whatever the file will hold."""
        self._cut()
        self.mark = mark
        self._note.write_text(json.dumps({"origin": self._origin, "mark": mark, "size": size}), encoding="utf-8")

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            Unavailable: that is more than the file has.
        """
        if self.size + len(data) > self.limit:
            raise Unavailable(f"it gives more than the {self.limit} bytes that the file has")
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._sha.update(data)
        self.size += len(data)

    def sha256(self) -> str:
        return self._sha.hexdigest()

    def discard(self) -> None:
        """Leave nothing behind."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def _cut(self) -> None:
        self._file.truncate(self.size)

    def _rehash(self, good: int) -> None:
        while self.size < good:
            block = self._file.read(min(_BLOCK, good - self.size))
            self._sha.update(block)
            self.size += len(block)


def _read(note: Path) -> dict[str, Any]:
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

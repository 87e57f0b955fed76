"""Replies on disk, so that whoever asks again sees the same bytes: another branch, a resumed search, a replay.

An entry is one file: a line of JSON about the reply, then its body. Its name is a hash, so no address ever becomes a
path; it holds the key that it answers and a digest, so a file that is not whole, or of another key, is no entry.
Only the broker decides what may be asked; the cache answers whoever has been let through.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reasoner.broker.exchange import Reply
from reasoner.errors import ToolError

_SIZE = 256 * 2**20
_LONGEST_HEAD = 16384


@dataclass(frozen=True)
class Cache:
    """Entries in `folder`, which is made when the first one is kept. Beyond `size` bytes the least used go."""

    folder: Path
    size: int = _SIZE

    def get(self, key: str, since: float = 0.0) -> Reply | None:
        """The reply that was kept for `key`, unless that was before `since` (seconds of the epoch).

        Raises:
            ToolError: the disk refuses.
        """
        place = self._place(key)
        with self._disk():
            try:
                with place.open("rb") as file:
                    head, body = file.readline(_LONGEST_HEAD), file.read()
                os.utime(place)
            except FileNotFoundError:
                return None
        return _reply(head, body, key, since)

    def put(self, key: str, reply: Reply, now: float) -> None:
        """Keep a reply in place of what was there. Raises `ToolError` when the disk refuses."""
        head = {
            "key": key,
            "at": now,
            "status": reply.status,
            "type": reply.type,
            "charset": reply.charset,
            "location": reply.location,
            "sha256": hashlib.sha256(reply.body).hexdigest(),
        }
        with self._disk():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file, temporary = tempfile.mkstemp(dir=self.folder, prefix=".")
            try:
                with os.fdopen(file, "wb") as out:
                    out.write(json.dumps(head).encode() + b"\n" + reply.body)
                os.replace(temporary, self._place(key))
            except OSError:
                os.unlink(temporary)
                raise
            self._trim()

    def _place(self, key: str) -> Path:
        return self.folder / hashlib.sha256(key.encode()).hexdigest()

    def _trim(self) -> None:
        held = []
        for entry in os.scandir(self.folder):
            with suppress(FileNotFoundError):
                stat = entry.stat()
                held.append((stat.st_mtime_ns, stat.st_size, entry.path))
        excess = sum(size for _, size, _ in held) - self.size
        for _, size, path in sorted(held):
            if excess <= 0:
                break
            with suppress(FileNotFoundError):
                os.unlink(path)
            excess -= size

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ToolError(
                f"the pages that fetch keeps in {self.folder} cannot be read or written ({error.strerror}): "
                "see to that, or set fetch.cache to another folder"
            ) from error


def _reply(head: bytes, body: bytes, key: str, since: float) -> Reply | None:
    """What a file holds, None where it is no whole entry for `key` from after `since`."""
    try:
        told = json.loads(head)
        whole = told["key"] == key and told["sha256"] == hashlib.sha256(body).hexdigest() and told["at"] >= since
        return Reply(told["status"], told["type"], told["charset"], told["location"], body) if whole else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None

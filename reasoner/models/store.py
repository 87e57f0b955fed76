"""The local store: $REASONER_HOME/models/NAME is a Hugging Face directory, /downloads holds what is on its way there.

A model appears whole or not at all: it is made in a hidden folder beside its place and renamed. One process at a time
works on a name. The GGUF file is deleted once it is converted.
"""

import errno
import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reasoner.errors import ModelError
from reasoner.models.directory import ORIGIN
from reasoner.models.progress import Progress
from reasoner.models.registry import Entry, entries

State = Literal["absent", "partial", "ready"]


@dataclass(frozen=True)
class Listed:
    """A model of the registry and how much of it is here."""

    entry: Entry
    state: State
    path: Path
    """Where it is, or will be."""
    bytes: int
    """What it takes on disk now."""


@dataclass(frozen=True)
class Store:
    """The store under `root`, which need not exist yet."""

    root: Path

    def place(self, name: str) -> Path:
        return self.root / "models" / name

    def listed(self, entry: Entry) -> Listed:
        place, part = self.place(entry.name), self._downloads / f"{entry.name}.gguf"
        if self.holds(entry.name, entry.sha256):
            return Listed(entry, "ready", place, sum(f.stat().st_size for f in place.iterdir()))
        if part.is_file():
            return Listed(entry, "partial", place, part.stat().st_size)
        return Listed(entry, "absent", place, 0)

    def holds(self, name: str, sha256: str) -> bool:
        """Whether `name` is there, converted from the file of that SHA-256."""
        try:
            origin = json.loads((self.place(name) / ORIGIN).read_bytes())
        except (OSError, ValueError):
            return False
        return isinstance(origin, dict) and origin.get("sha256") == sha256

    def pull(self, entry: Entry, progress: Progress) -> Path:
        """Fetch, verify and convert, unless that is done.

        Raises:
            ModelError: no source has it, its bytes are wrong, or the disk is full.
        """
        from reasoner.models.fetch import fetch

        if self.holds(entry.name, entry.sha256):
            return self.place(entry.name)
        with self._working(entry.name, progress):
            if not self.holds(entry.name, entry.sha256):
                fetched = fetch(entry, self._downloads, progress)
                self._publish(entry.name, fetched.path, entry.sha256, progress)
                if fetched.partial is not None:
                    fetched.partial.discard()
        return self.place(entry.name)

    def adopt(self, gguf: Path, progress: Progress) -> Path:
        """Convert a GGUF file of the user's into the store, under its hash; the file stays where it is.

        Raises:
            ModelError: it cannot be read or converted, or the disk is full.
        """
        from reasoner.models.fetch import sha256

        with _disk(gguf):
            digest = sha256(gguf, progress)
        known = next((entry.name for entry in entries() if entry.sha256 == digest), None)
        name = known or f"{re.sub(r'[^a-z0-9.-]+', '-', gguf.stem.lower()).strip('.-')}-{digest[:12]}"
        if not self.holds(name, digest):
            with self._working(name, progress):
                if not self.holds(name, digest):
                    self._publish(name, gguf, digest, progress)
        return self.place(name)

    @property
    def _downloads(self) -> Path:
        return self.root / "downloads"

    @contextmanager
    def _working(self, name: str, progress: Progress) -> Iterator[None]:
        """Be the only process at work on `name`, with what a killed one left cleared away."""
        with _disk(self.root):
            self._downloads.mkdir(parents=True, exist_ok=True)
            self.place(name).parent.mkdir(parents=True, exist_ok=True)
            with (self._downloads / f"{name}.lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    progress.tell(f"another process is getting {name}; waiting for it")
                    fcntl.flock(lock, fcntl.LOCK_EX)
                for left in (*self._downloads.glob(f".{name}.gguf-*"), *self.place(name).parent.glob(f".{name}--*")):
                    shutil.rmtree(left)
                yield

    def _publish(self, name: str, gguf: Path, sha256: str, progress: Progress) -> None:
        from reasoner.models.convert import convert

        place = self.place(name)
        making = Path(tempfile.mkdtemp(prefix=f".{name}--", dir=place.parent))
        try:
            making.chmod(0o755)
            convert(gguf, making, sha256, progress)
            if place.exists():
                shutil.rmtree(place)
            os.replace(making, place)
        finally:
            shutil.rmtree(making, ignore_errors=True)


def home() -> Path:
    """$REASONER_HOME, else `reasoner` in the user's cache folder."""
    chosen = os.environ.get("REASONER_HOME", "")
    cache = os.environ.get("XDG_CACHE_HOME", "") or "~/.cache"
    return Path(chosen).expanduser() if chosen else Path(cache).expanduser() / "reasoner"


@contextmanager
def _disk(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            cause, remedy = "there is no room left", "make room and run this again, it goes on from where it stopped"
        else:
            cause, remedy = f"{error.strerror or error}", "see to that and run this again"
        raise ModelError(f"{error.filename or place} cannot be written or read, {cause}: {remedy}") from error

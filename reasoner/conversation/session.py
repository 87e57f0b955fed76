"""A conversation on disk: a folder with an index of its turns and a trace for each, appended to and never rewritten.

The index says where each turn hangs from and which place the person is at; what was said and done is in the traces. A
line or a trace that is broken costs that turn and what hangs from it, and `lost` says so.
"""

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from reasoner.completions import CoreInfo
from reasoner.conversation.turns import Place
from reasoner.errors import TraceError
from reasoner.trace import Trace, read
from reasoner.types import Json

VERSION = 1
_INDEX = "session.jsonl"


@dataclass(frozen=True)
class Began:
    core: str
    digest: str
    config: Json = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True)
class Asked:
    turn: int
    base: Place | None = None
    kept: tuple[int, ...] | None = None
    """Turns that stand word for word before it, where a summary tells of the others."""


@dataclass(frozen=True)
class Went:
    """The person is at another place now."""

    to: Place | None = None


@dataclass(frozen=True)
class Pinned:
    """A turn that no summary is to stand for, or not any more."""

    turn: int
    pinned: bool = True


_Event = Began | Asked | Went | Pinned
_KINDS: dict[str, type[_Event]] = {"began": Began, "asked": Asked, "went": Went, "pinned": Pinned}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(eq=False)
class Session:
    """An open session; nobody else can open it until it is closed."""

    folder: Path
    began: Began
    asked: list[Asked] = field(default_factory=list)
    at: Place | None = None
    pending: int | None = None
    """The turn that was begun last, until a place is gone to."""
    pinned: set[int] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)
    """What could not be read, a sentence each."""
    _file: BinaryIO | None = None

    @property
    def id(self) -> str:
        return self.folder.name

    @classmethod
    def create(cls, folder: Path, core: CoreInfo, config: Json) -> "Session":
        """Begin a session in a folder that is not there yet. Raises TraceError."""
        session = cls(folder, Began(core.name, core.digest, config))
        try:
            folder.mkdir(parents=True)
            session._file = _locked((folder / _INDEX).open("xb"), folder)
        except OSError as error:
            raise TraceError(f"cannot begin a session in {folder} ({error.strerror}): make room for it") from error
        session._write(session.began)
        return session

    @classmethod
    def load(cls, folder: Path) -> "Session":
        """Go on with a session. Raises TraceError where not even its beginning can be read."""
        try:
            file = _locked((folder / _INDEX).open("r+b"), folder)
        except OSError as error:
            raise TraceError(f"there is no session in {folder} ({error.strerror}): see reasoner chat --list") from error
        data = file.read()
        lines = data.splitlines(keepends=True)
        began = _decoded(lines[0]) if lines else None
        if not isinstance(began, Began):
            file.close()
            raise TraceError(f"the session in {folder} has no beginning that this program can read")
        session = cls(folder, began, _file=file)
        session._take(lines[1:])
        if data and not data.endswith(b"\n"):
            file.write(b"\n")
        return session

    def next(self) -> int:
        """A number that no turn has, not even one that is lost."""
        number = max((asked.turn for asked in self.asked), default=0) + 1
        while self.path(number).exists():
            number += 1
        return number

    def ask(self, turn: int, base: Place | None, kept: tuple[int, ...] | None = None) -> None:
        self.asked.append(Asked(turn, base, kept))
        self.pending = turn
        self._write(self.asked[-1])

    def go(self, to: Place | None) -> None:
        self.at, self.pending = to, None
        self._write(Went(to))

    def pin(self, turn: int) -> bool:
        """Pin a turn, or unpin it; whether it is pinned now."""
        event = Pinned(turn, turn not in self.pinned)
        self._pin(event)
        self._write(event)
        return event.pinned

    def path(self, turn: int) -> Path:
        return self.folder / f"turn-{turn}.jsonl"

    def errand(self) -> Path:
        """Where the record of a task goes that is solved beside the conversation."""
        return self.folder / f"solve-{len(list(self.folder.glob('solve-*.jsonl'))) + 1}.jsonl"

    def traces(self) -> Iterator[tuple[Asked, Trace]]:
        """The turns that can be read, in order, each after that which it hangs from; what cannot is told in `lost`."""
        gone: set[int] = set()
        for asked in self.asked:
            if asked.base and asked.base.turn in gone:
                gone.add(asked.turn)
                self.lost.append(f"turn {asked.turn} hangs from a turn that is lost, and is lost with it")
                continue
            try:
                trace = read(self.path(asked.turn))
                trace.began  # noqa: B018 - it raises where there is none
                yield asked, trace
            except TraceError as error:
                gone.add(asked.turn)
                self.lost.append(f"turn {asked.turn} is lost: {error}")

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _take(self, lines: list[bytes]) -> None:
        for number, line in enumerate(lines, 2):
            event = _decoded(line)
            if isinstance(event, Asked):
                self.asked.append(event)
                self.pending = event.turn
            elif isinstance(event, Went):
                self.at, self.pending = event.to, None
            elif isinstance(event, Pinned):
                self._pin(event)
            else:
                self.lost.append(f"line {number} of the session's index is broken, and is left out")

    def _pin(self, event: Pinned) -> None:
        (self.pinned.add if event.pinned else self.pinned.discard)(event.turn)

    def _write(self, event: _Event) -> None:
        assert self._file is not None
        try:
            self._file.write(msgspec.json.encode({"event": _NAMES[type(event)], "data": event}) + b"\n")
            self._file.flush()
        except OSError as error:
            raise TraceError(f"cannot write the session {self.folder} ({error.strerror}): free some space") from error


def _locked(file: BinaryIO, folder: Path) -> BinaryIO:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise TraceError(f"another process has the session {folder.name} open: leave it there first") from None
    return file


def _decoded(line: bytes) -> _Event | None:
    try:
        raw = msgspec.json.decode(line)
        event = msgspec.convert(raw["data"], _KINDS[raw["event"]])
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return None
    return None if isinstance(event, Began) and event.version != VERSION else event

"""What happened, as versioned events: the REPL and the live view listen to them, JSONL keeps them, a Tree is rebuilt
from them. One event a line; a line that was cut by a crash ends the trace, and everything before it is good.

Times stand beside the events, never inside them, so two runs of one seed compare equal.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from reasoner.errors import TraceError
from reasoner.ledger import Cost
from reasoner.tree import Head, Node, Tree
from reasoner.types import Json, Result, StepKind, Stop, Task

VERSION = 1


@dataclass(frozen=True)
class Began:
    """The first event: everything that decides what follows. Hidden tests are left out of `task`."""

    task: Task
    core: str
    digest: str
    level: str
    seed: int
    config: Json = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True)
class Opened:
    head: Head


@dataclass(frozen=True)
class Entered:
    """A head enters a step. Shown while it happens, not recorded."""

    head: int
    kind: StepKind


@dataclass(frozen=True)
class Wrote:
    """A head wrote some tokens. Shown while it happens, not recorded."""

    head: int
    text: str
    tokens: int


@dataclass(frozen=True)
class Added:
    """A head became a node (the root comes without a head)."""

    node: Node
    head: int | None = None


@dataclass(frozen=True)
class Dropped:
    """A head ended without a node: the search stopped first, or our surroundings failed. What it cost is charged."""

    head: int
    reason: str
    cost: Cost = Cost()


@dataclass(frozen=True)
class Stopped:
    stop: Stop


@dataclass(frozen=True)
class Finished:
    result: Result


Event = Began | Opened | Entered | Wrote | Added | Dropped | Stopped | Finished
Listener = Callable[[Event], None]

_RECORDED: dict[str, type[Any]] = {
    "began": Began,
    "opened": Opened,
    "added": Added,
    "dropped": Dropped,
    "stopped": Stopped,
    "finished": Finished,
}
_NAMES = {kind: name for name, kind in _RECORDED.items()}


def encode(event: Event, at: float) -> bytes:
    """One line of JSON, without its newline. `at` is seconds since the trace began; files are base64."""
    return msgspec.json.encode({"event": _NAMES[type(event)], "at": round(at, 3), "data": event})


def decode(line: bytes) -> Event:
    """Read one line back.

    Raises:
        TraceError: it is not an event of a version that this program reads.
    """
    try:
        raw = msgspec.json.decode(line)
        kind = _RECORDED[raw["event"]]
        event: Event = msgspec.convert(raw["data"], kind)
    except (msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise TraceError(f"not an event of a trace ({type(error).__name__}: {error})") from error
    if isinstance(event, Began) and event.version != VERSION:
        raise TraceError(f"the trace has version {event.version}, this program reads version {VERSION}")
    return event


class Recorder:
    """Appends events to a file, flushed at every event, synced to disk at the end.

    Raises:
        TraceError: the file cannot be written; what was written before stays readable.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.path = path
        self._clock = clock
        self._started = clock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb")
        except OSError as error:
            raise TraceError(f"cannot write the trace {path} ({error.strerror}): choose another --traces") from error

    def __call__(self, event: Event) -> None:
        if type(event) not in _NAMES or self._file.closed:
            return
        try:
            self._file.write(encode(event, self._clock() - self._started) + b"\n")
            self._file.flush()
        except OSError as error:
            raise TraceError(f"cannot write the trace {self.path} ({error.strerror}): free some space") from error

    def close(self) -> None:
        if self._file.closed:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise TraceError(f"cannot write the trace {self.path} ({error.strerror}): free some space") from error
        finally:
            self._file.close()


@dataclass
class Trace:
    """A recorded search: its events in order, and whether its end was cut off."""

    events: list[Event]
    cut: bool = False

    @property
    def began(self) -> Began:
        first = self.events[0] if self.events else None
        if not isinstance(first, Began):
            raise TraceError("the trace does not begin with its task")
        return first

    def tree(self) -> Tree:
        """The tree as it stood when the last event was written; heads that were growing then are dropped."""
        tree = Tree(self.began.task.id, self.began.seed)
        heads: dict[int, Head] = {}
        for event in self.events:
            if isinstance(event, Opened):
                head = tree.opened(event.head.expand)
                if head != event.head:
                    raise TraceError(f"head {event.head.id} does not follow from the events before it")
                heads[head.id] = head
            elif isinstance(event, Added):
                _add(tree, event, heads)
            elif isinstance(event, Dropped):
                tree.drop(heads.pop(event.head))
        for head in heads.values():
            tree.drop(head)
        return tree


def _add(tree: Tree, event: Added, heads: dict[int, Head]) -> None:
    node = event.node
    if event.head is None:
        tree.plant(node.steps, node.world)
    else:
        tree.add(heads.pop(event.head), node.steps, node.world, node.verdicts, node.cost)


def read(path: Path) -> Trace:
    """Read a trace; a last line that was cut short is left out and reported in `cut`.

    Raises:
        TraceError: the file cannot be read, or a line before the last is broken.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise TraceError(f"cannot read the trace {path} ({error.strerror})") from error
    events: list[Event] = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            events.append(decode(line))
        except TraceError as error:
            if number == len(lines):
                return Trace(events, cut=True)
            raise TraceError(f"{path}, line {number}: {error}") from error
    return Trace(events)

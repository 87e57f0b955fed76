"""What happens in a search, as versioned events, and each of them as one line of JSON.

Version 2 added what a resumption needs: `Checked`, `Grew`, `Resumed`, `Redone`; `budget` and `graded` in `Began`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from reasoner.errors import TraceError
from reasoner.ledger import Budget, Cost
from reasoner.tree import Head, Node
from reasoner.types import Json, NodeId, Report, Result, StepKind, Stop, Task, ToolResult

VERSION = 2
READ = (1, 2)
"""Versions that this program reads."""


@dataclass(frozen=True)
class Began:
    """The first event: everything that decides what follows. What only grades is left out of `task`."""

    task: Task
    core: str
    digest: str
    level: str
    seed: int
    config: Json = field(default_factory=dict)
    version: int = VERSION
    budget: Budget = Budget()
    graded: bool = False
    """Whether the task had hidden tests or a reference answer."""


@dataclass(frozen=True)
class Checked:
    """What the visible tests said of the task's files as they are."""

    report: Report
    cost: Cost = Cost()


@dataclass(frozen=True)
class Opened:
    """A head grows now. One that was dropped when the search was suspended is opened again, as itself."""

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
class Heard:
    """A head took in what a tool said. Shown while it happens, not recorded: the node has it."""

    head: int
    result: ToolResult


@dataclass(frozen=True)
class Grew:
    """What a head that is still growing has cost so far: its account, should nothing follow."""

    head: int
    cost: Cost


@dataclass(frozen=True)
class Added:
    """A head became a node (the root comes without a head)."""

    node: Node
    head: int | None = None


DropReason = Literal["stopped", "killed"]


@dataclass(frozen=True)
class Dropped:
    """A head ended without a node: the search `stopped` first, or the process was `killed` (written when it goes on,
    with the last that is known of the cost). What it cost is charged."""

    head: int
    reason: DropReason
    cost: Cost = Cost()


@dataclass(frozen=True)
class Stopped:
    stop: Stop


@dataclass(frozen=True)
class Finished:
    result: Result


@dataclass(frozen=True)
class Resumed:
    """A suspended or broken search goes on, under the same core and with this budget, earlier costs included."""

    budget: Budget
    level: str
    version: int = VERSION


@dataclass(frozen=True)
class Redone:
    """The world of a node of before the resumption was made again; `differs` says what came out differently, if
    anything did."""

    node: NodeId
    differs: str = ""
    cost: Cost = Cost()


Event = (
    Began | Checked | Opened | Entered | Wrote | Heard | Grew | Added | Dropped | Stopped | Finished | Resumed | Redone
)
Listener = Callable[[Event], None]

_RECORDED: dict[str, type[Any]] = {
    "began": Began,
    "checked": Checked,
    "opened": Opened,
    "grew": Grew,
    "added": Added,
    "dropped": Dropped,
    "stopped": Stopped,
    "finished": Finished,
    "resumed": Resumed,
    "redone": Redone,
}
NAMES = {kind: name for name, kind in _RECORDED.items()}


@dataclass(frozen=True)
class Entry:
    """A line of a trace. Times stand beside the events, never inside them, so two runs of one seed compare equal."""

    event: Event
    at: float
    """Seconds since the trace began."""


def encode(event: Event, at: float) -> bytes:
    """One line of JSON, without its newline; files are base64."""
    return msgspec.json.encode({"event": NAMES[type(event)], "at": round(at, 3), "data": event})


def decode(line: bytes) -> Entry:
    """Read one line back.

    Raises:
        TraceError: it is not an event of a version that this program reads.
    """
    try:
        raw = msgspec.json.decode(line)
        if raw["event"] in ("began", "resumed"):
            _must_know(raw["data"].get("version"))
        event: Event = msgspec.convert(raw["data"], _RECORDED[raw["event"]])
        return Entry(event, float(raw.get("at", 0.0)))
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise TraceError(f"not an event of a trace ({type(error).__name__}: {error})") from error


def _must_know(version: object) -> None:
    if version not in READ:
        known = f"{READ[0]} to {READ[-1]}"
        raise TraceError(f"the trace has version {version}, this program reads {known}: take the one that wrote it")

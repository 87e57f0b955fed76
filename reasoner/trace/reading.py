"""Reads a recorded search back: its tree, what it spent, and what was still growing when it ended."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from reasoner.errors import TraceError
from reasoner.ledger import Budget, Cost
from reasoner.trace.events import Added, Began, Checked, Dropped, Event, Finished, Grew, Opened, Redone, Resumed, decode
from reasoner.tree import Head, Tree
from reasoner.types import Report, Result


@dataclass
class Trace:
    """A recorded search: its events in order, and whether its end was cut off."""

    events: list[Event]
    cut: bool = False
    times: list[float] = field(default_factory=list)
    """When each event was written, in seconds since the first process began; empty where nobody knows."""
    size: int = 0
    """Bytes of the file up to the end of its last whole line."""

    @property
    def began(self) -> Began:
        first = self.events[0] if self.events else None
        if not isinstance(first, Began):
            raise TraceError("the trace does not begin with its task")
        return first

    @property
    def result(self) -> Result | None:
        """What it came to; None when it was broken off."""
        last = self.events[-1] if self.events else None
        return last.result if isinstance(last, Finished) else None

    @property
    def checked(self) -> Report | None:
        """What the visible tests said of the task's files as they are, if that was recorded."""
        return next((e.report for e in self.events if isinstance(e, Checked)), None)

    @property
    def budget(self) -> Budget:
        """The bounds that it had last."""
        resumed = next((e for e in reversed(self.events) if isinstance(e, Resumed)), None)
        if resumed or self.began.version > 1:
            return (resumed or self.began).budget
        said = self.began.config.get("budget", {})
        return Budget(said.get("tokens") or None, said.get("wall_s") or None, tool_cpu_s=said.get("tool_cpu_s") or None)

    @property
    def spent(self) -> Cost:
        """Everything that is known to have been spent, by heads that were dropped or killed too."""
        total = Cost()
        for event in self.events:
            match event:
                case Checked(cost=cost) | Dropped(cost=cost) | Redone(cost=cost):
                    total += replace(cost, wall_s=0.0)
                case Added(node=node):
                    total += replace(node.cost, wall_s=0.0)
        for cost in self.lost.values():
            total += replace(cost, wall_s=0.0)
        return replace(total, wall_s=self.seconds)

    @property
    def seconds(self) -> float:
        """For how long it was worked on; the time between two processes is not counted."""
        starts = [i for i, event in enumerate(self.events) if isinstance(event, Began | Resumed)]
        if not self.times:
            return 0.0
        return sum(self.times[end - 1] - self.times[start] for start, end in pairwise([*starts, len(self.events)]))

    @property
    def lost(self) -> dict[int, Cost]:
        """Heads that were growing when the process was killed, and the last that is known of their cost."""
        costs: dict[int, Cost] = {}
        for event in self.events:
            match event:
                case Opened(head):
                    costs[head.id] = Cost()
                case Grew(head, cost):
                    costs[head] = cost
                case Added(head=int(head)) | Dropped(head=head):
                    costs.pop(head, None)
        return costs

    @property
    def unfinished(self) -> list[Head]:
        """Heads that never became a node, in the order in which they were opened: a resumption grows them first."""
        heads: dict[int, Head] = {}
        for event in self.events:
            if isinstance(event, Opened):
                heads[event.head.id] = event.head
            elif isinstance(event, Added) and event.head is not None:
                heads.pop(event.head, None)
        return [heads[number] for number in sorted(heads)]

    def tree(self) -> Tree:
        """The tree as it stood when the last event was written; heads that were growing then are dropped.

        Raises:
            TraceError: an event does not follow from those before it.
        """
        tree = Tree(self.began.task.id, self.began.seed)
        heads: dict[int, Head] = {}
        seen: dict[int, Head] = {}
        for number, event in enumerate(self.events, 1):
            try:
                if isinstance(event, Opened):
                    heads[event.head.id] = _open(tree, event.head, seen)
                elif isinstance(event, Added):
                    _add(tree, event, heads)
                elif isinstance(event, Dropped):
                    tree.drop(heads.pop(event.head))
            except (KeyError, AssertionError) as error:
                raise TraceError(f"event {number} of the trace does not follow from those before it") from error
        for head in heads.values():
            tree.drop(head)
        return tree


def _open(tree: Tree, recorded: Head, seen: dict[int, Head]) -> Head:
    again = recorded.id in seen
    head = tree.reopened(seen[recorded.id]) if again else tree.opened(recorded.expand)
    if head != recorded:
        raise TraceError(f"head {recorded.id} does not follow from the events before it")
    seen[head.id] = head
    return head


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
        data = path.read_bytes()
    except OSError as error:
        raise TraceError(f"cannot read the trace {path} ({error.strerror})") from error
    trace = Trace([])
    for number, (line, end) in enumerate(_lines(data), 1):
        try:
            entry = decode(line) if line else None
        except TraceError as error:
            if end == len(data) and not data.endswith(b"\n"):
                trace.cut = True
                return trace
            raise TraceError(f"{path}, line {number}: {error}") from error
        if entry:
            trace.events.append(entry.event)
            trace.times.append(entry.at)
        trace.size = end
    return trace


def _lines(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each line without its newline, and where it ends, its newline included."""
    start = 0
    while start < len(data):
        found = data.find(b"\n", start)
        end = len(data) if found < 0 else found + 1
        yield data[start:end].rstrip(b"\n"), end
        start = end

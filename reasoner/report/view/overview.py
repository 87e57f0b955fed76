"""What is seen of a search at once: a row for each node and each head that was cut short, and tokens over time.

Pure. Nothing is escaped here: a text is a text until the page writes it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reasoner.ledger import Cost
from reasoner.trace import Added, Checked, Dropped, Grew, Opened, Redone, Trace
from reasoner.tree import Head, Node
from reasoner.types import NodeId

State = Literal["solved", "partly", "failed", "answered", "thought", "dropped", "task"]
_GIST = 100
_POINTS = 400
"""Of the line of tokens over time."""


@dataclass(frozen=True)
class Row:
    """One node, or a head that was cut short. `parent` is a row's number; a row's parent stands before it."""

    parent: int | None
    name: str
    """#13, or "cut short"."""
    move: str
    state: State
    score: float | None
    """The share of visible tests that passed, or what the first verdict says, 0..1."""
    says: str
    """A line: what the tests or the verdict say, else how its text begins."""
    back: str
    """Where it stepped back to, or what it took along from a dead branch."""
    at: float
    """Seconds after the search began."""
    tokens: int
    """Computed for it."""
    on_path: bool


def rows(trace: Trace) -> list[Row]:
    """In the order in which they ended; heads that were cut short last."""
    path = _path(trace)
    heads = {event.head.id: event.head for event in trace.events if isinstance(event, Opened)}
    places: dict[NodeId, int] = {}
    found: list[Row] = []
    for event, at in zip(trace.events, trace.times, strict=True):
        if isinstance(event, Added):
            head = heads.get(event.head) if event.head is not None else None
            found.append(_row(event.node, head, at, event.node.id in path, places))
            places[event.node.id] = len(found) - 1
    return [*found, *_cut_short(trace, heads, places)]


def _row(node: Node, head: Head | None, at: float, on_path: bool, places: Mapping[NodeId, int]) -> Row:
    state, score, says = _judged(node)
    return Row(
        parent=None if node.parent is None else places.get(node.parent),
        name=f"#{node.id}",
        move=node.move or "task",
        state=state,
        score=score,
        says=says or _gist(node),
        back=_back(node, head),
        at=at,
        tokens=node.cost.tokens,
        on_path=on_path,
    )


def _cut_short(trace: Trace, heads: Mapping[int, Head], places: Mapping[NodeId, int]) -> Iterator[Row]:
    last: dict[int, tuple[Dropped, float]] = {}
    for event, at in zip(trace.events, trace.times, strict=True):
        match event:
            case Dropped(head=number) if number in heads:
                last[number] = (event, at)
            case Added(head=int(number)):
                last.pop(number, None)
    for number, (dropped, at) in last.items():
        yield Row(
            parent=places.get(heads[number].expand.node),
            name="cut short",
            move=heads[number].expand.move,
            state="dropped",
            score=None,
            says="the process was killed" if dropped.reason == "killed" else "the search ended first",
            back="",
            at=at,
            tokens=dropped.cost.tokens,
            on_path=False,
        )


def _judged(node: Node) -> tuple[State, float | None, str]:
    if node.parent is None:
        return "task", None, ""
    visible = next((v for v in node.verdicts if v.source == "visible"), None)
    if visible:
        state: State = "solved" if visible.score >= 1 else "partly" if visible.score > 0 else "failed"
        return state, visible.score, visible.detail
    voted = next((v for v in node.verdicts if v.key), None)
    if voted:
        return "answered", voted.score, f"answers {voted.key}"
    if any(step.kind in ("malformed", "backtrack") for step in node.steps):
        return "failed", None, ""
    first = node.verdicts[0] if node.verdicts else None
    return "thought", first.score if first else None, ""


def _gist(node: Node) -> str:
    """How the last text that the core wrote begins."""
    step = next((s for s in reversed(node.steps) if s.kind not in ("observe",) and s.text.strip()), None)
    line = step.text.strip().splitlines()[0] if step else ""
    return line if len(line) <= _GIST else line[: _GIST - 1] + "…"


def _back(node: Node, head: Head | None) -> str:
    """The words for a step back, empty where there was none."""
    said = []
    if head and head.expand.kept:
        said.append(f"back into #{head.expand.kept.node} after {head.expand.kept.tokens} tokens")
    if node.learnt is not None:
        said.append(f"with the lesson of #{node.learnt}")
    if any(step.kind == "backtrack" for step in node.steps):
        said.append("stepped back")
    return "; ".join(said)


def _path(trace: Trace) -> set[NodeId]:
    """The nodes from the task to the answer."""
    parents = {event.node.id: event.node.parent for event in trace.events if isinstance(event, Added)}
    at = trace.result.node if trace.result else None
    found: set[NodeId] = set()
    while at is not None and at in parents and at not in found:
        found.add(at)
        at = parents[at]
    return found


def spending(trace: Trace) -> list[tuple[float, int]]:
    """(seconds, computed tokens up to then), at most some hundred points."""
    settled, growing = Cost(), dict[int, Cost]()
    points: list[tuple[float, int]] = []
    for event, at in zip(trace.events, trace.times, strict=True):
        match event:
            case Grew(head, cost):
                growing[head] = cost
            case Checked(cost=cost) | Redone(cost=cost):
                settled += cost
            case Added(node=node, head=head):
                growing.pop(-1 if head is None else head, None)
                settled += node.cost
            case Dropped(head, cost=cost):
                growing.pop(head, None)
                settled += cost
        points.append((at, settled.tokens + sum(cost.tokens for cost in growing.values())))
    return [*points[:: max(1, len(points) // _POINTS)], *points[-1:]]


def head(trace: Trace) -> dict[str, Any]:
    """What stands above the tree."""
    began, result = trace.began, trace.result
    return {
        "task": began.task.id,
        "core": began.core,
        "level": began.level,
        "seed": began.seed,
        "strategy": began.config.get("search", {}).get("strategy", ""),
        "status": result.status if result else "broken off",
        "reason": result.stop.reason if result else "",
        "answer": result.answer if result else "",
        "tokens": trace.spent.tokens,
        "seconds": trace.seconds,
        "bounds": {"tokens": trace.budget.tokens},
        "cut": trace.cut,
    }

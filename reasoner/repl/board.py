"""What is known of a search from its events alone: the attempts, the step each is in, what it cost so far.

A view draws a board; the board draws nothing, decides nothing and asks nobody. Model text is kept as it came.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from reasoner.ledger import Budget
from reasoner.loop.failures import lesson_of
from reasoner.repl.printable import gist
from reasoner.suites import report
from reasoner.trace import Added, Began, Dropped, Entered, Event, Finished, Opened, Resumed, Stopped, Wrote
from reasoner.tree import Node
from reasoner.types import NodeId, Result, StepKind, Stop

_TAIL = 4_000
"""Characters of a head's text that are kept for showing."""
_RATE_S = 5.0
"""Seconds over which tokens per second are counted."""

State = Literal["growing", "passed", "failed", "unusable", "untested", "stopped"]


@dataclass(eq=False)
class Attempt:
    """One attempt, from its opening to its tests. `number` counts from 1 in the order of opening."""

    number: int
    source: int | None = None
    """The attempt whose beginning it took over."""
    step: StepKind | None = None
    text: str = ""
    """The end of what is being written now."""
    tokens: int = 0
    """Sampled tokens, reflections included."""
    state: State = "growing"
    passed: int = 0
    counted: int = 0
    failure: str = ""
    """What the first failing test said, or why the answer could not be used."""
    reflection: str = ""

    @property
    def label(self) -> str:
        """`attempt 9`, or `attempt 9 ↩4` where it went on from inside attempt 4; 15 columns."""
        back = f"↩{self.source}" if self.source else ""
        return f"attempt {self.number:<3} {back:<3}"


@dataclass
class Board:
    """Takes every event of one search. `clock` is in seconds and runs on its own."""

    clock: Callable[[], float]
    before: float = 0.0
    """Seconds that went by before the search was resumed."""
    core: str = ""
    level: str = ""
    tokens_budget: int | None = None
    wall_budget: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    growing: dict[int, Attempt] = field(default_factory=dict)
    """Open head -> the attempt that it belongs to."""
    stop: Stop | None = None
    result: Result | None = None
    _started: float | None = None
    _charged: int = 0
    _decoding: dict[int, int] = field(default_factory=dict)
    _recent: deque[tuple[float, int]] = field(default_factory=deque)
    _owner: dict[NodeId, Attempt] = field(default_factory=dict)
    _heads: dict[int, Attempt] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        match event:
            case Began():
                self._begin(event)
            case Resumed(budget):
                self.stop = self.result = None
                self._bound(budget)
            case Opened(head):
                self.growing[head.id] = self._attempt(event)
                self._decoding[head.id] = 0
            case Entered(head, kind) if head in self.growing:
                self._enter(self.growing[head], kind)
            case Wrote(head, text, tokens) if head in self.growing:
                self._write(head, text, tokens)
            case Added(node, head) if head in self.growing:
                self._close(head, node.cost.tokens)
                self._owner[node.id] = _settle(self.growing.pop(head), node)
            case Dropped(head, _, cost) if head in self.growing:
                self._close(head, cost.tokens)
                attempt = self.growing.pop(head)
                attempt.state = "stopped" if attempt.state == "growing" else attempt.state
            case Stopped(stop):
                self.stop = stop
            case Finished(result):
                self.result = result

    @property
    def tokens(self) -> int:
        """Tokens computed so far; what open heads prefilled is counted when they end."""
        return self._charged + sum(self._decoding.values())

    @property
    def tokens_left(self) -> int | None:
        return None if self.tokens_budget is None else max(0, self.tokens_budget - self.tokens)

    @property
    def seconds(self) -> float:
        return 0.0 if self._started is None else self.before + self.clock() - self._started

    @property
    def rate(self) -> float:
        """Tokens per second that were sampled lately."""
        recent = tuple(self._recent)
        now = self.clock()
        return sum(n for at, n in recent if now - at <= _RATE_S) / min(_RATE_S, max(self.seconds, 0.5))

    def owner(self, node: NodeId) -> Attempt | None:
        """The attempt that a finished node belongs to; the root has none."""
        return self._owner.get(node)

    def lesson(self, node: NodeId) -> str:
        """What a dead branch taught, as its events say: its reflection, else what its tests said."""
        attempt = self.owner(node)
        return (attempt.reflection or attempt.failure) if attempt else ""

    def _begin(self, event: Began) -> None:
        self._started = self.clock()
        self.core, self.level = event.core, event.level
        self._bound(event.budget)

    def _bound(self, budget: Budget) -> None:
        self.tokens_budget, self.wall_budget = budget.tokens, budget.wall_s

    def _attempt(self, opened: Opened) -> Attempt:
        """A reflection, and what a core goes on with in view of a node, belong to that node's attempt; a head that is
        opened again to its own; any other move is an attempt of its own."""
        again = self._heads.get(opened.head.id)
        if again:
            again.state, again.text, again.tokens = "growing", "", 0
            return again
        attempt = self._heads[opened.head.id] = self._new(opened)
        return attempt

    def _new(self, opened: Opened) -> Attempt:
        expand = opened.head.expand
        on = expand.move in ("reflect", "continue", "follow") and expand.learnt is None
        if on and expand.node in self._owner:
            return self._owner[expand.node]
        source = self._owner.get(expand.kept.node) if expand.kept else None
        attempt = Attempt(len(self.attempts) + 1, source.number if source else None)
        self.attempts.append(attempt)
        return attempt

    def _enter(self, attempt: Attempt, kind: StepKind) -> None:
        attempt.step = kind
        if kind != "observe":
            attempt.text = ""

    def _write(self, head: int, text: str, tokens: int) -> None:
        attempt = self.growing[head]
        attempt.text = (attempt.text + text)[-_TAIL:]
        attempt.tokens += tokens
        self._decoding[head] += tokens
        now = self.clock()
        self._recent.append((now, tokens))
        while now - self._recent[0][0] > _RATE_S:
            self._recent.popleft()

    def _close(self, head: int, charged: int) -> None:
        del self._decoding[head]
        self._charged += charged


def _settle(attempt: Attempt, node: Node) -> Attempt:
    """Take from a finished node what became of its attempt."""
    reflected, observed, problem = node.step("reflect"), node.step("observe"), node.step("malformed")
    if node.step("backtrack"):
        attempt.reflection = lesson_of(node)
    elif node.step("act") is None:
        attempt.reflection = reflected.text.strip() if reflected else ""
    elif observed and observed.result:
        said = report(observed.result)
        attempt.passed, attempt.counted = said.passed, said.counted
        attempt.state = "passed" if said.solved else "failed"
        failed = next(iter(said.failed), None)
        attempt.failure = said.error or (gist(failed.message) or failed.name if failed else "")
    else:
        attempt.state = "unusable" if problem else "untested"
        attempt.failure = problem.text if problem else ""
    return attempt

"""Where the seconds of one search went, from its live events: a listener that counts and decides nothing."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reasoner.trace import Added, Dropped, Entered, Event, Opened, Wrote

Phase = Literal["prefill", "decode", "tools"]


@dataclass(frozen=True)
class Times:
    """Seconds. `prefill`, `decode` and `tools` add up over heads that grow side by side; `waiting` is of the clock."""

    began: float = 0.0
    """Since 1970."""
    wall_s: float = 0.0
    prefill_s: float = 0.0
    """Up to a completion's first token: computing its prompt, and its turn in the core's queue."""
    decode_s: float = 0.0
    tools_s: float = 0.0
    """Tools and verifiers."""
    waiting_s: float = 0.0
    """While no head grew: the world opened, the tests ran before the search and once more after it."""


class Stopwatch:
    """Call it with every event of one search; `clock` is in seconds and may start anywhere."""

    def __init__(self, clock: Callable[[], float], began: float) -> None:
        self._clock, self._began = clock, began
        self._started = self._last = clock()
        self._phases: dict[int, Phase] = {}
        self._growing: Counter[Phase] = Counter()
        self._spent: dict[str, float] = dict.fromkeys(("prefill", "decode", "tools", "waiting"), 0.0)

    def __call__(self, event: Event) -> None:
        match event:
            case Opened(head):
                self._enter(head.id, "prefill")
            case Entered(head, kind):
                self._enter(head, "tools" if kind == "observe" else "prefill")
            case Wrote(head, _, tokens) if tokens and self._phases.get(head) == "prefill":
                self._enter(head, "decode")
            case Added(_, head) if head is not None:
                self._leave(head)
            case Dropped(head):
                self._leave(head)

    def times(self) -> Times:
        """Up to now."""
        self._count()
        return Times(
            began=round(self._began, 3),
            wall_s=round(self._last - self._started, 3),
            **{f"{name}_s": round(seconds, 3) for name, seconds in self._spent.items()},
        )

    def _enter(self, head: int, phase: Phase) -> None:
        self._leave(head)
        self._phases[head] = phase
        self._growing[phase] += 1

    def _leave(self, head: int) -> None:
        self._count()
        if phase := self._phases.pop(head, None):
            self._growing[phase] -= 1

    def _count(self) -> None:
        now = self._clock()
        since, self._last = now - self._last, now
        if not self._phases:
            self._spent["waiting"] += since
        for phase, heads in self._growing.items():
            self._spent[phase] += since * heads

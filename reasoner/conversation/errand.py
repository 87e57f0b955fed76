"""A coding task that is solved beside a conversation, and held still as a turn can be."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from reasoner.conversation.pausing import Pausing
from reasoner.ledger import Budget
from reasoner.runtime import Reasoner
from reasoner.stopping import FirstOf
from reasoner.trace import Listener, Recorder
from reasoner.types import Result, Task


@dataclass(eq=False)
class Errand:
    """`path` is where its record goes; `reasoner resume` goes on with it from there."""

    reasoner: Reasoner
    task: Task
    path: Path
    budget: Budget = Budget()
    _pausing: Pausing = field(init=False)

    def __post_init__(self) -> None:
        self._pausing = Pausing(self.reasoner.core)

    async def run(self, *listeners: Listener) -> Result:
        """Raises what `Reasoner.solve` raises."""
        stop = FirstOf((self._pausing, self.reasoner.policy(self.task.kind)))
        reasoner = replace(self.reasoner, core=self._pausing, stop=stop, budget=self.budget)
        recorder = Recorder(self.path, self.reasoner.clock)
        try:
            return await reasoner.solve(self.task, recorder, *listeners)
        finally:
            recorder.close()

    def pause(self) -> None:
        """Hold it still, between two tokens."""
        self._pausing.pause()

    def proceed(self, more: int = 0) -> None:
        """Let it go on; its budget was said before it began, and more is added by `reasoner resume`."""
        self._pausing.proceed()

    def keep(self) -> None:
        """End it with the best attempt so far."""
        self._pausing.cut()

    def drop(self) -> None:
        """It was cancelled: its record stays, and the conversation knows nothing of it."""

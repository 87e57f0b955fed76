"""One attempt at a task, from an open reasoner to a record; and who makes attempts: this process, or others for it."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from reasoner.batch.records import Key, Record, record_of
from reasoner.batch.timing import Stopwatch
from reasoner.completions import CoreInfo
from reasoner.errors import CoreError, RefusedError, SandboxError, TaskError, ToolError
from reasoner.runtime import Reasoner
from reasoner.telemetry import spans
from reasoner.trace import Listener, Recorder, read
from reasoner.types import Json, Task

Failure = CoreError | SandboxError | ToolError


@dataclass(frozen=True)
class Job:
    """A task in one epoch. Epochs differ by their seed."""

    task: Task
    epoch: int = 0
    of: int = 1
    """How many jobs its run has in all."""

    @property
    def key(self) -> Key:
        return self.task.id, self.epoch


@dataclass(frozen=True)
class Attempted:
    """What is to be kept of an attempt, and what of our surroundings failed."""

    record: Record
    failure: Failure | None = None


class Maker(Protocol):
    """Who makes attempts."""

    @property
    def core(self) -> CoreInfo: ...

    @property
    def level(self) -> str:
        """How well its worlds are closed."""
        ...

    async def attempt(self, job: Job, number: int, trace: Path, name: str, listener: Listener) -> Attempted:
        """Make the attempt of this `number` and record it at `trace`, which the record calls `name`.

        Raises:
            TraceError: the trace cannot be written.
        """
        ...


@dataclass(frozen=True)
class Here:
    """This process. Satisfies `Maker`."""

    reasoner: Reasoner
    now: Callable[[], float] = time.time

    @property
    def core(self) -> CoreInfo:
        return self.reasoner.core.info

    @property
    def level(self) -> str:
        return self.reasoner.sandbox.level

    async def attempt(self, job: Job, number: int, trace: Path, name: str, listener: Listener) -> Attempted:
        width = abreast(self.reasoner.width, self.core.rows, job.of)
        reasoner = replace(self.reasoner, seed=self.reasoner.seed + job.epoch, width=width)
        seed, watch = reasoner.seed, Stopwatch(reasoner.clock, self.now())
        record = Record(*job.key, number, "failed", seed, core=self.core.name, level=self.level, trace=name)
        recorder = Recorder(trace, reasoner.clock)
        try:
            with spans() as spanned:
                result = await reasoner.solve(job.task, recorder, watch, listener, spanned)
            times = watch.times()
            return Attempted(record_of(result, epoch=job.epoch, attempt=number, seed=seed, trace=name, times=times))
        except (TaskError, RefusedError) as error:
            ended = replace(record, outcome="unusable", reason=str(error))
            return Attempted(replace(ended, spent=_spent(trace), times=watch.times()))
        except (CoreError, SandboxError, ToolError) as error:
            return Attempted(replace(record, reason=str(error), spent=_spent(trace), times=watch.times()), error)
        finally:
            recorder.close()


def abreast(width: int, rows: int, jobs: int) -> int:
    """How many attempts of a task may grow at once: `width`, or its share of a core's rows where others fill them. What
    grows beside an attempt that passes is lost, and knows less than what is begun after it; so with many tasks each
    grows one attempt at a time, and is then searched alike whatever runs beside it."""
    return max(1, min(width, rows // max(1, jobs)))


def _spent(trace: Path) -> Json:
    """What an attempt that came to no result had cost, by its trace."""
    return asdict(read(trace).spent)

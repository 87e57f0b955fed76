"""Many tasks in flight over one reasoner, whose core batches whatever heads they grow. Nothing is done twice.

What our surroundings do wrong is tried again a few times, with pauses, and recorded as `failed`; when that happens to
one task after the other, the run ends, since nothing else would come of it. A disk that cannot be written ends it at
once. Whatever ends a run, the same call goes on from there.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from reasoner.batch.admission import Admission
from reasoner.batch.folder import Folder
from reasoner.batch.records import Key, Record, record_of
from reasoner.batch.timing import Stopwatch
from reasoner.errors import CoreError, SandboxError, TaskError, ToolError
from reasoner.runtime import Reasoner
from reasoner.trace import Event, Listener, Recorder
from reasoner.types import Task

Failure = CoreError | SandboxError | ToolError
PAUSES = (5.0, 20.0, 60.0)
"""Seconds before a task is tried again after our surroundings failed."""
_ROW = 3
"""So many tasks in a row, and all that are in flight, may fail before the run ends."""


@dataclass(frozen=True)
class Job:
    """A task in one epoch. Epochs differ by their seed."""

    task: Task
    epoch: int = 0

    @property
    def key(self) -> Key:
        return self.task.id, self.epoch


class Watcher(Protocol):
    """Who looks on."""

    def begun(self, job: Job) -> Listener:
        """A job begins; what is returned hears all its events."""
        ...

    def kept(self, job: Job, record: Record) -> None:
        """A record of it is on disk."""
        ...


async def run(
    reasoner: Reasoner,
    jobs: Iterable[Job],
    folder: Folder,
    *,
    workers: int | None = None,
    watcher: Watcher | None = None,
    pauses: Sequence[float] = PAUSES,
    now: Callable[[], float] = time.time,
) -> None:
    """Do all jobs that `folder` has no last word on, `workers` at a time (None: as many as keep the core busy), in
    their order. Cancelling lets go of those in flight; their traces are kept.

    Raises:
        ConfigError: what is in `folder` was done by another core.
        CoreError, SandboxError, ToolError: several tasks in a row failed so; each is recorded.
        TraceError: a trace or a record cannot be written.
    """
    core = reasoner.core.info
    folder.confirm({"core": {"name": core.name, "digest": core.digest}, "sandbox": reasoner.sandbox.level})
    queue, admission = deque(job for job in jobs if job.key not in folder.done), Admission(workers)
    crew = _Crew(reasoner, queue, folder, watcher, pauses, now, admission)
    working = [asyncio.create_task(crew.work()) for _ in range(admission.most)]
    try:
        await asyncio.gather(*working)
    finally:
        for worker in working:
            worker.cancel()
        await asyncio.gather(*working, return_exceptions=True)


@dataclass
class _Crew:
    reasoner: Reasoner
    queue: deque[Job]
    folder: Folder
    watcher: Watcher | None
    pauses: Sequence[float]
    now: Callable[[], float]
    admission: Admission
    _flying: int = 0
    """Tasks that have begun and have no last word."""
    _failed: int = 0
    """Tasks that failed since the last that did not."""

    async def work(self) -> None:
        while self.queue:
            await self.admission.turn()
            if self.queue:
                self._flying += 1
                await self._settle(self.queue.popleft())
                self._flying -= 1
        self.admission.lift()

    async def _settle(self, job: Job) -> None:
        """Try a job until there is a last word on it, or the pauses are used up."""
        failure = await self._try(job)
        for pause in self.pauses:
            if failure is None:
                break
            await asyncio.sleep(pause)
            failure = await self._try(job)
        self._failed = self._failed + 1 if failure else 0
        if failure and self._failed >= max(_ROW, self._flying):
            raise type(failure)(f"{self._failed} tasks in a row failed, so the run was ended; the last said: {failure}")

    async def _try(self, job: Job) -> Failure | None:
        """One attempt, recorded. Returns what of our surroundings failed."""
        listener = self.watcher.begun(job) if self.watcher else _nobody
        reasoner = replace(self.reasoner, seed=self.reasoner.seed + job.epoch)
        attempt, path = self.folder.trace_of(job.key)
        watch = Stopwatch(reasoner.clock, self.now())
        record = Record(
            *job.key,
            attempt,
            "failed",
            reasoner.seed,
            core=reasoner.core.info.name,
            level=reasoner.sandbox.level,
            trace=str(path.relative_to(self.folder.path)),
        )
        failure: Failure | None = None
        recorder = Recorder(path, reasoner.clock)
        try:
            with self.admission.inside() as heard:
                result = await reasoner.solve(job.task, recorder, watch, listener, heard)
            record = record_of(
                result, epoch=job.epoch, attempt=attempt, seed=reasoner.seed, trace=record.trace, times=watch.times()
            )
        except TaskError as error:
            record = replace(record, outcome="unusable", reason=str(error), times=watch.times())
        except (CoreError, SandboxError, ToolError) as error:
            failure = error
            record = replace(record, reason=str(error), times=watch.times())
        finally:
            recorder.close()
        self.folder.append(record)
        if self.watcher:
            self.watcher.kept(job, record)
        return failure


def _nobody(event: Event) -> None:
    pass

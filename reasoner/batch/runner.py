"""Many tasks in flight over one reasoner, whose core batches whatever heads they grow. Nothing is done twice.

What our surroundings do wrong is tried again a few times, with pauses, and recorded as `failed`; when that happens to
one task after the other, the run ends, since nothing else would come of it. A disk that cannot be written ends it at
once. Whatever ends a run, the same call goes on from there.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from reasoner.batch.admission import Admission
from reasoner.batch.attempts import Failure, Here, Job, Maker
from reasoner.batch.folder import Folder
from reasoner.batch.records import Record
from reasoner.ledger import UNBOUNDED, Budget, Cost
from reasoner.runtime import Reasoner
from reasoner.trace import Event, Listener

PAUSES = (5.0, 20.0, 60.0)
"""Seconds before a task is tried again after our surroundings failed."""
_ROW = 3
"""So many tasks in a row, and all that are in flight, may fail before the run ends."""
_LOOK_S = 1.0
"""Between two looks at whether more tasks may be in flight than before."""


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
    within: Budget = UNBOUNDED,
    pauses: Sequence[float] = PAUSES,
    now: Callable[[], float] = time.time,
) -> None:
    """Do all jobs that `folder` has no last word on, `workers` at a time (None: as many as keep the core busy), in
    their order, those that failed before last. Cancelling lets go of those in flight; their traces are kept. Once all
    that is recorded in `folder` has spent `within`, no other task begins; those in flight end as they would.

    Raises:
        ConfigError: what is in `folder` was done by another core.
        CoreError, SandboxError, ToolError: several tasks in a row failed so; each is recorded.
        TraceError: a trace or a record cannot be written.
    """
    admission = Admission(workers, reasoner.core.info.rows)
    await drive(Here(reasoner, now), jobs, folder, admission, watcher=watcher, within=within, pauses=pauses)


async def drive(
    maker: Maker,
    jobs: Iterable[Job],
    folder: Folder,
    admission: Admission,
    *,
    watcher: Watcher | None = None,
    within: Budget = UNBOUNDED,
    pauses: Sequence[float] = PAUSES,
) -> None:
    """The same, whoever makes the attempts; a task begins when `admission` says so."""
    core = maker.core
    folder.confirm({"core": {"name": core.name, "digest": core.digest}, "sandbox": maker.level})
    given = list(jobs)
    left = (replace(job, of=len(given)) for job in given if job.key not in folder.done)
    queue = deque(sorted(left, key=lambda job: job.key in folder.failed))
    crew = _Crew(maker, queue, folder, admission, watcher, within, pauses)
    working: set[asyncio.Task[None]] = set()
    try:
        while queue or working:
            more = min(admission.most - len(working), len(queue))
            working |= {asyncio.create_task(crew.work()) for _ in range(more)}
            ended, working = await asyncio.wait(working, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            for worker in ended:
                worker.result()
    finally:
        for worker in working:
            worker.cancel()
        await asyncio.gather(*working, return_exceptions=True)


@dataclass
class _Crew:
    maker: Maker
    queue: deque[Job]
    folder: Folder
    admission: Admission
    watcher: Watcher | None
    within: Budget
    pauses: Sequence[float]
    _flying: int = 0
    """Tasks that have begun and have no last word."""
    _failed: int = 0
    """Tasks that failed since the last that did not."""

    async def work(self) -> None:
        while self.queue:
            await self.admission.turn()
            if self.within.spent_by(self.folder.spent):
                self.queue.clear()
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
        watching = self.watcher.begun(job) if self.watcher else _nobody
        number, path = self.folder.trace_of(job.key)
        with self.admission.inside() as counting:

            def hear(event: Event) -> None:
                counting(event)
                watching(event)

            made = await self.maker.attempt(job, number, path, str(path.relative_to(self.folder.path)), hear)
        lost = self.folder.lost(job.key, number)
        record = replace(made.record, lost=asdict(lost)) if lost != Cost() else made.record
        self.folder.append(record)
        if self.watcher:
            self.watcher.kept(job, record)
        return made.failure


def _nobody(event: Event) -> None:
    pass

"""Tasks begin while the core has room, and wait while it has none."""

import asyncio
import resource
from collections.abc import Callable

from reasoner.batch import Folder, Here, Job, Record, drive, run
from reasoner.batch.admission import TASKS, Admission, open_more_files, worlds
from reasoner.completions import Sampling
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox, ScriptedWorld
from reasoner.search import BestOfN
from reasoner.trace import Added, Dropped, Entered, Event, Listener, Opened
from reasoner.tree import Head
from reasoner.types import Expand, Files, Limits


def opened(number: int) -> Opened:
    return Opened(Head(number, Expand(0, "attempt", Sampling()), 0, number))


async def test_a_task_waits_while_the_core_has_heads_enough_and_begins_when_tests_run() -> None:
    admission = Admission(rows=2)
    with admission.inside() as first:
        for number in (0, 1, 2):
            first(opened(number))
        waiting = asyncio.create_task(admission.turn())
        await asyncio.sleep(0)
        assert not waiting.done()
        first(Entered(1, "observe"))
        await waiting
        first(Entered(1, "think"))
        waiting = asyncio.create_task(admission.turn())
        await asyncio.sleep(0)
        assert not waiting.done()
        first(Dropped(0, "stopped"))
        await waiting


async def test_a_task_that_ends_leaves_no_head_behind_and_a_fixed_number_looks_at_none() -> None:
    admission = Admission(rows=1)
    with admission.inside() as heard:
        heard(opened(0))
    await asyncio.wait_for(admission.turn(), 1)
    fixed = Admission(3, rows=1)
    assert fixed.most == 3
    with fixed.inside() as heard:
        heard(opened(0))
        await asyncio.wait_for(fixed.turn(), 1)


def test_tasks_in_flight_grow_with_the_rows_of_the_core_as_far_as_this_machine_holds_their_worlds() -> None:
    assert [Admission(rows=rows, held=10_000).most for rows in (16, 64)] == [16 * TASKS, 64 * TASKS]
    assert Admission(rows=64, held=100).most == 100 and Admission(rows=64, held=0).most == 1
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
    try:
        assert worlds() <= 50, "each has files of its own open here"
        open_more_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, 4096)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Seen:
    """Satisfies `Watcher`."""

    def __init__(self) -> None:
        self.heads = self.most = 0

    def begun(self, job: Job) -> Listener:
        return self.hear

    def hear(self, event: Event) -> None:
        ends = isinstance(event, Dropped) or (isinstance(event, Added) and event.head is not None)
        self.heads += isinstance(event, Opened) - ends
        self.most = max(self.most, self.heads)

    def kept(self, job: Job, record: Record) -> None:
        pass


async def test_more_tasks_are_in_flight_once_more_may_be(
    reasoner: Callable[..., Reasoner], folder: Callable[..., Folder], jobs: Callable[..., list[Job]]
) -> None:
    class Late(ScriptedSandbox):
        opening = most = 0

        async def open(self, files: Files, limits: Limits) -> ScriptedWorld:
            self.opening += 1
            self.most = max(self.most, self.opening)
            await asyncio.sleep(0.05)
            self.opening -= 1
            return await super().open(files, limits)

    class Joins(Seen):
        def kept(self, job: Job, record: Record) -> None:
            admission.most = 6

    admission, sandbox, solver = Admission(1), Late(), reasoner()
    solver.sandbox = sandbox
    with folder() as out:
        await drive(Here(solver), jobs(60), out, admission, watcher=Joins())
        assert len(out.done) == 60 and sandbox.most == 6


async def test_a_run_that_chooses_itself_does_every_task_and_crowds_nobody(
    reasoner: Callable[..., Reasoner], folder: Callable[..., Folder], jobs: Callable[..., list[Job]]
) -> None:
    seen, wide = Seen(), reasoner()
    wide.strategy = BestOfN(8)
    with folder() as out:
        await run(wide, jobs(120), out, watcher=seen)
        assert len(out.done) == 120
    rows = wide.core.info.rows
    assert rows <= seen.most <= TASKS * rows * 8

"""A core with so many decode slots, and tools that take their time, both in virtual time: how much of it is used."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from batch_scripted import SETTINGS, drawn, jobs, says, scripted

from reasoner.batch import Folder, Job, Record, run
from reasoner.completions import Piece, Sampling
from reasoner.cores.scripted import ScriptedCore
from reasoner.cores.virtual import VirtualClock
from reasoner.sandboxes.scripted import ScriptedSandbox, ScriptedWorld
from reasoner.trace import Event, Listener
from reasoner.types import Files, Json, Limits, Report, SnapshotId, Suite, Tool, ToolResult

SLOWEST_S = 5.0
"""A tool takes from nothing up to this."""


async def mixed(count: int, slots: int, out: Path, **search: object) -> float:
    """The share of the slots in use from the first task on until the last has begun: after that none is left to fill
    them."""
    reasoner, core = scripted(**search)
    core = Slotted(core.clock, slots)
    reasoner = replace(reasoner, core=core, sandbox=Slow(reasoner.sandbox, core.clock))  # type: ignore[arg-type]
    with Folder(out, SETTINGS) as folder:
        await run(reasoner, jobs(count), folder, watcher=_Until(core, count))
    return core.used / core.until / slots


class Slotted(ScriptedCore):
    """Writes `slots` completions side by side; more wait their turn. `used` adds up what it was writing, in seconds,
    up to `until`."""

    def __init__(self, clock: VirtualClock, slots: int) -> None:
        super().__init__(says, clock=clock)
        self.info = replace(self.info, rows=slots)
        self._free = asyncio.Semaphore(slots)
        self.used = 0.0
        self.until = 0.0
        """When the last task began; 0 before."""

    async def stream(self, prefix: Sequence[int], sampling: Sampling) -> AsyncGenerator[Piece]:
        async with self._free:
            began = self.clock()
            try:
                async with aclosing(super().stream(prefix, sampling)) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        yield piece
            finally:
                end = min(self.clock(), self.until or self.clock())
                self.used += max(0.0, end - began)


class Slow:
    """A sandbox whose calls take virtual time: what, their arguments decide."""

    def __init__(self, inner: ScriptedSandbox, clock: VirtualClock) -> None:
        self._inner, self._clock, self.level = inner, clock, inner.level

    async def open(self, files: Files, limits: Limits) -> "SlowWorld":
        return SlowWorld(await self._inner.open(files, limits), self._clock)

    async def grade(self, candidate: Files, suite: Suite, limits: Limits) -> Report:
        await self._clock.sleep(_seconds(candidate))
        return await self._inner.grade(candidate, suite, limits)

    async def close(self) -> None:
        await self._inner.close()


class SlowWorld:
    def __init__(self, inner: ScriptedWorld, clock: VirtualClock) -> None:
        self._inner, self._clock, self.root = inner, clock, inner.root
        self.put, self.get, self.release, self.close = inner.put, inner.get, inner.release, inner.close

    async def run(self, at: SnapshotId, tool: Tool, arguments: Json, limits: Limits) -> tuple[ToolResult, SnapshotId]:
        await self._clock.sleep(_seconds(at, tool.name, sorted(self._inner._files[at].items())))
        return await self._inner.run(at, tool, arguments, limits)


def _seconds(*of: object) -> float:
    return SLOWEST_S * (drawn(of) % 1000) / 1000


class _Until:
    """Satisfies `Watcher`: notes when the last task begins."""

    def __init__(self, core: Slotted, count: int) -> None:
        self._core, self._left = core, count

    def begun(self, job: Job) -> Listener:
        self._left -= 1
        if not self._left:
            self._core.until = self._core.clock()
        return _nobody

    def kept(self, job: Job, record: Record) -> None:
        pass


def _nobody(event: Event) -> None:
    pass

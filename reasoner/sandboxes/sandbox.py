"""A sandbox over a launcher: worlds from a warm pool, and suites graded in worlds of their own.

What starts a guest, a container or bubblewrap, is the launcher's business. A world that is closed is taken down in the
background; closing the sandbox waits until nothing is left.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Any, Protocol

from reasoner.content import content_dir, load_tool
from reasoner.errors import SandboxError
from reasoner.sandboxes.guest import Guest
from reasoner.sandboxes.rootfs import PACKAGES, PROJECT
from reasoner.sandboxes.seccomp import compile_filter
from reasoner.sandboxes.walls import Walls
from reasoner.sandboxes.world import GuestWorld
from reasoner.suites import report, suite_arguments
from reasoner.types import Files, Limits, Report, Suite


class Launcher(Protocol):
    @property
    def level(self) -> str: ...

    def walls(self, limits: Limits) -> Walls: ...

    async def launch(self, limits: Limits) -> Guest:
        """Start a guest and prove it closed. Raises SandboxError."""
        ...

    async def close(self) -> None: ...


class GuestSandbox:
    """Satisfies `Sandbox`. Keeps `warm` guests started, of the size that was asked for last."""

    def __init__(self, launcher: Launcher, *, warm: int = 1) -> None:
        self._launcher, self._warm = launcher, warm
        self._filter = compile_filter(forbid_kill_all=True).hex()
        self._size: Walls | None = None
        self._starting: list[asyncio.Task[Guest]] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._worlds: set[GuestWorld] = set()
        self._graders: list[tuple[Limits, GuestWorld]] = []
        self._run_tests = load_tool(content_dir("tools") / "run_tests")

    @property
    def level(self) -> str:
        return self._launcher.level

    async def open(self, files: Files, limits: Limits) -> "GuestWorld":
        async def launch() -> Guest:
            return await self._take(limits)

        world = GuestWorld(launch, self._settings(limits), files, limits, self._left)
        await world.start()
        self._worlds.add(world)
        return world

    async def grade(self, candidate: Files, suite: Suite, limits: Limits) -> Report:
        """In a world in which nothing is: a new one, or one that has only ever graded assert lists, one after the
        other, and was found empty each time. A candidate that shares a process with its tests gets one of its own, and
        so does whatever comes after a candidate that did not end well."""
        world = await self._grader(limits) if suite.runner == "asserts" else await self.open({}, limits)
        again = False
        try:
            at = await world.put(world.root, candidate)
            arguments = suite_arguments(suite, wall_s=limits.wall_s)
            result, _ = await world.run(at, self._run_tests, arguments, limits)
            said = report(result, self.level, graded=suite.runner)
            again = suite.runner == "asserts" and result.error is None and await world.forget()
        finally:
            if again:
                self._graders.append((limits, world))
            else:
                self._behind(world.close())
        return said

    async def _grader(self, limits: Limits) -> "GuestWorld":
        """An idle world for assert lists, else a new one. Raises SandboxError."""
        for held in self._graders:
            if held[0] == limits:
                self._graders.remove(held)
                return held[1]
        while self._graders:
            self._behind(self._graders.pop()[1].close())
        return await self.open({}, limits)

    async def close(self) -> None:
        """Take down every world and every warm guest, and wait until they are gone."""
        self._graders.clear()
        await asyncio.gather(*(world.close() for world in list(self._worlds)))
        for started in await asyncio.gather(*self._starting, return_exceptions=True):
            if isinstance(started, Guest):
                await started.close()
        self._starting.clear()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await self._launcher.close()

    async def prove(self, limits: Limits) -> None:
        """Start a first guest, which proves that worlds can be closed here. Raises SandboxError."""
        self.prepare(limits)
        if not self._starting:
            self._starting.append(asyncio.create_task(self._launcher.launch(limits)))
        await asyncio.shield(self._starting[0])

    def prepare(self, limits: Limits) -> None:
        """Start warm guests of this size, in the background."""
        size = self._launcher.walls(limits)
        if size != self._size:
            for task in self._starting:
                self._behind(_discard(task))
            self._starting.clear()
            self._size = size
        while len(self._starting) < self._warm:
            self._starting.append(asyncio.create_task(self._launcher.launch(limits)))

    async def _take(self, limits: Limits) -> Guest:
        """A guest that is started already, else a new one. Raises SandboxError."""
        if self._launcher.walls(limits) != self._size or not self._starting:
            self.prepare(limits)
        task = self._starting.pop(0) if self._starting else asyncio.create_task(self._launcher.launch(limits))
        try:
            guest = await asyncio.shield(task)
        except asyncio.CancelledError:
            self._behind(_discard(task))
            raise
        finally:
            self.prepare(limits)
        return guest if not guest.lost else await self._launcher.launch(limits)

    def _settings(self, limits: Limits) -> dict[str, Any]:
        size = self._launcher.walls(limits)
        return {
            "limits": {**asdict(limits), "total_processes": size.user_pids},
            "filter": self._filter,
            "packages": [f"/{PROJECT}", f"/{PACKAGES}"],
            "nice": size.nice,
            "nodes": size.nodes,
            "store": size.store,
        }

    def _left(self, world: GuestWorld) -> None:
        self._worlds.discard(world)

    def _behind(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _discard(task: asyncio.Task[Guest]) -> None:
    """Close a guest that nobody wants any more, once it has started."""
    with contextlib.suppress(SandboxError):
        await (await task).close()

"""The public `Reasoner`: settings and parts of your own, put together when it is entered.

    with Reasoner() as solver:                       async with Reasoner() as solver:
        result = solver.solve(task)                      result = await solver.solve(task)

`async with` gives the runtime itself; `with` gives it behind calls that block, on an event loop in a thread of its own,
so that it works in a script, in a notebook, and in a program that has a loop already.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TypeVar

from reasoner import batch, runtime
from reasoner.assembly import assemble, put_together
from reasoner.batch import Folder, Job, Problems, Summary, held_settings, read_problems, summarise
from reasoner.config import Config
from reasoner.errors import ConfigError
from reasoner.ledger import UNBOUNDED, Budget
from reasoner.protocols import Core, Sandbox, StopPolicy, Strategy, Verifier
from reasoner.toolbox import Toolbox, load_tools
from reasoner.trace import Listener
from reasoner.types import Result, Task, Tool

T = TypeVar("T")


class Reasoner:
    """What is to be put together. Nothing is opened before it is entered, and all of it is closed on leaving.

    Args:
        config: model, sandbox, search, budget; see `Config`.
        core, sandbox: yours instead of those that `config` names, both or neither. They are used and left open.
        strategy: yours instead of the one that `config` names.
        verifiers: who judges besides the tests and the votes.
        tools: folders with a tool.toml, or tools, that a model may call.
        stop: yours instead of "solved, or the budget spent".
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        core: Core | None = None,
        sandbox: Sandbox | None = None,
        strategy: Strategy | None = None,
        verifiers: Sequence[Verifier] = (),
        tools: Sequence[Tool | Path | str] = (),
        stop: StopPolicy | None = None,
    ) -> None:
        if (core is None) != (sandbox is None):
            given, missing = ("core", "sandbox") if sandbox is None else ("sandbox", "core")
            raise ConfigError(f"a {given} of your own needs a {missing} of your own beside it: give both, or neither")
        self._config = config or Config()
        self._own = (core, sandbox) if core and sandbox else None
        self._strategy, self._verifiers, self._tools, self._stop = strategy, verifiers, tools, stop
        self._opened: AbstractAsyncContextManager[runtime.Reasoner] | None = None
        self._solver: Solver | None = None

    async def __aenter__(self) -> runtime.Reasoner:
        self._opened = self._open()
        return await self._opened.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._opened is not None
        await self._opened.__aexit__(kind, error, at)

    def __enter__(self) -> "Solver":
        self._solver = Solver(self._open())
        return self._solver

    def __exit__(self, *_: object) -> None:
        assert self._solver is not None
        self._solver.close()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[runtime.Reasoner]:
        if self._own:
            core, sandbox = self._own
            yield self._with_parts(put_together(self._config, core, sandbox, strategy=self._strategy))
            return
        async with assemble(self._config, strategy=self._strategy) as assembled:
            yield self._with_parts(assembled)

    def _with_parts(self, whole: runtime.Reasoner) -> runtime.Reasoner:
        return replace(
            whole,
            verifiers=(*whole.verifiers, *self._verifiers),
            toolbox=self._toolbox(whole.toolbox),
            stop=self._stop or whole.stop,
        )

    def _toolbox(self, standard: Toolbox) -> Toolbox:
        own: list[Tool] = []
        for tool in self._tools:
            own += [tool] if isinstance(tool, Tool) else load_tools(Path(tool).expanduser())
        return standard.adding(own) if own else standard


class Solver:
    """A runtime behind calls that block. Made by `with Reasoner() as solver`; any thread may call it."""

    def __init__(self, opening: AbstractAsyncContextManager[runtime.Reasoner]) -> None:
        self._opening = opening
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="reasoner", daemon=True)
        self._thread.start()
        try:
            self._reasoner = self._wait(opening.__aenter__())
        except BaseException:
            self._end()
            raise

    def solve(self, task: Task, *listeners: Listener) -> Result:
        """Search, and grade the answer; see `runtime.Reasoner.solve`. Listeners are called in the solver's thread."""
        return self._wait(self._reasoner.solve(task, *listeners))

    def solve_all(self, tasks: Iterable[Task], *, workers: int = 4) -> Iterator[Result]:
        """Results as they come, `workers` tasks at a time. An error ends all of it; `run` is what keeps results and
        goes on. Leaving the loop early lets go of the tasks in flight."""
        results: SimpleQueue[Result | None] = SimpleQueue()
        whole = asyncio.run_coroutine_threadsafe(self._all(iter(tasks), workers, results), self._loop)
        whole.add_done_callback(lambda _: results.put(None))
        try:
            while (result := results.get()) is not None:
                yield result
            whole.result()
        finally:
            whole.cancel()

    def run(
        self,
        problems: Problems | Path | str,
        into: Path | str,
        *,
        epochs: int = 1,
        workers: int | None = None,
        within: Budget = UNBOUNDED,
    ) -> Summary:
        """What `reasoner run` does: every problem of a file or directory, or those that you chose of it, each `epochs`
        times, recorded in the directory `into`; called again, it goes on from there. `workers` None keeps the core
        busy; once the whole run has spent `within`, no other task begins.

        Raises:
            ConfigError: `into` holds a run with another configuration or core, or other problems. Parts of your own are
                not compared.
            TaskError: there is no problem that can be used.
            CoreError, SandboxError, ToolError, TraceError: our surroundings failed, over and over; call it again.
        """
        asked = problems if isinstance(problems, Problems) else read_problems(Path(problems))
        return self._wait(self._run(asked, Path(into), epochs, workers, within))

    def close(self) -> None:
        """Close the core and the sandbox."""
        try:
            self._wait(self._opening.__aexit__(None, None, None))
        finally:
            self._end()

    async def _run(self, problems: Problems, into: Path, epochs: int, workers: int | None, within: Budget) -> Summary:
        jobs = [Job(task, epoch) for epoch in range(epochs) for task in problems.tasks]
        asked = {job.key for job in jobs}
        with Folder(into, held_settings(self._reasoner.config, problems)) as folder:
            try:
                await batch.run(self._reasoner, jobs, folder, workers=workers, within=within)
            finally:
                summary = summarise((r for r in folder.records() if r.key in asked), len(jobs), problems.bad)
                folder.write_summary(asdict(summary))
        return summary

    async def _all(self, tasks: Iterator[Task], workers: int, results: "SimpleQueue[Result | None]") -> None:
        async def work() -> None:
            for task in tasks:
                results.put(await self._reasoner.solve(task))

        working = [asyncio.create_task(work()) for _ in range(max(1, workers))]
        try:
            await asyncio.gather(*working)
        finally:
            for worker in working:
                worker.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on the solver's loop; Ctrl-C here cancels it there."""
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result()
        except BaseException:
            running.cancel()
            raise

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

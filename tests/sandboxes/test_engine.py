"""What an engine does to us: it stops in the middle of a call, comes back, or does not have the image."""

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from reasoner.errors import SandboxError
from reasoner.sandboxes import open_sandbox

from .conftest import LIMITS, PYTHON

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.docker]


class Door:
    """A socket in front of the engine's own that can be shut, on those who are inside too."""

    def __init__(self, path):
        self.path = path
        self._open = set()

    async def unlock(self):
        self._server = await asyncio.start_unix_server(self._pass, self.path)

    async def shut(self):
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        Path(self.path).unlink(missing_ok=True)
        await asyncio.sleep(0.1)

    async def _pass(self, reader, writer):
        engine = (os.environ.get("REASONER_TEST_ENGINE") or "/var/run/docker.sock").removeprefix("unix://")
        theirs, ours = await asyncio.open_unix_connection(engine)
        self._open |= {writer, ours}
        await asyncio.gather(self._copy(reader, ours), self._copy(theirs, writer))
        self._open -= {writer, ours}

    async def _copy(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()


async def test_an_engine_that_stops_in_the_middle_of_a_call_is_an_error_of_ours_until_it_is_back(tmp_path, monkeypatch):
    monkeypatch.setenv("REASONER_TEST_ENGINE", os.environ.get("DOCKER_HOST", ""))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    door = Door(f"{tmp_path}/engine.sock")
    await door.unlock()
    sandbox = await open_sandbox("docker", warm=0)
    world = await sandbox.open({}, LIMITS)
    _, one = await world.run(world.root, PYTHON, {"code": "x = 7; open('f', 'w').write('kept')"}, LIMITS)
    call = asyncio.create_task(world.run(one, PYTHON, {"code": "import time; time.sleep(3)"}, LIMITS))
    await asyncio.sleep(0.5)
    await door.shut()
    result, after = await asyncio.wait_for(call, 30)
    assert (result.error, after) == ("killed", one)
    with pytest.raises(SandboxError, match="engine"):
        await world.run(one, PYTHON, {"code": "x"}, LIMITS)
    await door.unlock()
    result, _ = await world.run(one, PYTHON, {"code": "x, open('f').read()"}, LIMITS)
    assert result.value == "(7, 'kept')"
    await sandbox.close()
    await door.shut()


async def test_an_image_that_is_missing_is_named():
    with pytest.raises(SandboxError, match="no-such-image"):
        await open_sandbox("docker", image="no-such-image:1")


async def test_no_engine_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(SandboxError, match="start one"):
        await open_sandbox("docker")

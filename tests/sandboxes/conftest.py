"""One sandbox of each kind for the whole session, and a fresh world a test.

Docker tests are skipped where no engine answers, and fail there when REASONER_REQUIRE_DOCKER=1.
"""

import os
from dataclasses import replace

import pytest
import pytest_asyncio

from reasoner.errors import SandboxError
from reasoner.sandboxes import open_sandbox
from reasoner.sandboxes.docker import connect
from reasoner.types import Limits, Tool

LIMITS = Limits(wall_s=5.0, cpu_s=5.0, memory=256 * 2**20, disk=16 * 2**20, inodes=512, processes=32)
PYTHON = Tool("python", "", "heap", {}, b"")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("docker") and not _engine():
            if os.environ.get("REASONER_REQUIRE_DOCKER") == "1":
                pytest.exit("REASONER_REQUIRE_DOCKER=1, but no Docker engine answers", returncode=1)
            item.add_marker(pytest.mark.skip(reason="no Docker engine answers"))


_answers = []


def _engine():
    if not _answers:
        try:
            connect().close()
            _answers.append(True)
        except SandboxError:
            _answers.append(False)
    return _answers[0]


@pytest_asyncio.fixture(
    scope="session", loop_scope="session", params=["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]
)
async def sandbox(request):
    opened = await open_sandbox(request.param)
    opened.prepare(LIMITS)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def world(sandbox):
    opened = await sandbox.open({"seed.txt": b"seed\n"}, LIMITS)
    yield Session(opened)
    await opened.close()


class Session:
    """A world with short words for what tests do all the time."""

    def __init__(self, world):
        self.world = world
        self.root = world.root

    async def cell(self, at, code, **limits):
        """Run a cell; its result and the snapshot after it."""
        return await self.world.run(at, PYTHON, {"code": code}, replace(LIMITS, **limits))

    async def value(self, at, code, **limits):
        """The value of a cell that must not fail."""
        result, _ = await self.cell(at, code, **limits)
        assert result.error is None, result
        return result.value

    async def after(self, at, code, **limits):
        """The snapshot after a cell that must not fail."""
        result, made = await self.cell(at, code, **limits)
        assert result.error is None, result
        return made

    async def tool(self, at, program, arguments=None, **limits):
        """Run an ordinary program as a tool."""
        tool = Tool("program", "", "files", {}, program.encode())
        return await self.world.run(at, tool, arguments or {}, replace(LIMITS, **limits))

    async def answers(self, at=None):
        """The world still works: the next call says so."""
        return await self.value(at or self.root, "6 * 7", wall_s=20.0) == "42"

"""Code that eats processes, memory, files and sockets: contained, and over with its call."""

from pathlib import Path

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="session")

IMPORTS = "import os, sys, subprocess, socket, signal, time, ctypes\nlibc = ctypes.CDLL(None)\n"


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def goes_on(world):
    yield
    assert await world.answers()


async def both(world, code, **limits):
    """The same code as a cell and as a program."""
    yield await world.cell(world.root, IMPORTS + code, **limits)
    yield await world.tool(world.root, IMPORTS + code, **limits)


STUBBORN_FORKS = """
for n in range(1, 32):
    try: signal.signal(n, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    try:
        if os.fork() == 0: os.setsid()
    except OSError: pass
"""
MANY_EATERS = """
for _ in range(16):
    if os.fork() == 0:
        x = []
        while True:
            try: x.append(bytearray(1 << 20))
            except MemoryError: time.sleep(1)
time.sleep(9)
"""
FULL_SOCKETS = """
x = []
for _ in range(400):
    a, b = socket.socketpair(); a.setblocking(False); x.append((a, b))
    try:
        while True: a.send(bytes(65536))
    except BlockingIOError: pass
os._exit(1)
"""


async def test_the_kernel_takes_cells_and_programs_before_the_supervisor(world):
    score = "print(open('/proc/{}/oom_score_adj').read().strip())"
    mine, _ = await world.tool(world.root, score.format("self"))
    cell, _ = await world.cell(world.root, score.format("self"))
    first, _ = await world.cell(world.root, score.format(1))
    assert (mine.value, cell.output, first.output) == (1000, "1000\n", "0\n")


@pytest.mark.parametrize(
    "bomb",
    [
        "while True: os.fork()",
        STUBBORN_FORKS,
        "import threading\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()",
        "while True: subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)",
    ],
)
async def test_a_fork_bomb_ends_with_its_call(world, bomb):
    one = await world.after(world.root, "x = 'safe'")
    async for result, _ in both(world, bomb, wall_s=1.0):
        assert result.error in ("killed", "timeout", "raised", "memory"), result
        assert await world.value(one, "x") == "'safe'"


@pytest.mark.parametrize(
    "bomb",
    [
        "x = []\nwhile True: x.append(bytearray(1 << 20))",
        MANY_EATERS,
        "import mmap\nx = []\nfor _ in range(200): x.append(mmap.mmap(-1, 1 << 24)); x[-1].write(bytes(1 << 24))",
        "fd = libc.memfd_create(b'x', 0)\nassert fd == -1\nos._exit(1)",
        "for i in range(4000): open(f'/dev/shm/{i}', 'wb').write(bytes(1 << 20))",
        "import tempfile\nfor i in range(4000): open(f'/tmp/{i}', 'wb').write(bytes(1 << 20))",
        FULL_SOCKETS,
    ],
)
async def test_a_memory_bomb_is_contained(world, bomb):
    before = _available()
    async for result, _ in both(world, bomb, wall_s=2.0):
        assert result.error is not None
        assert await world.answers()
    assert before - _available() < 2 << 30


def _available():
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) << 10
    return 0

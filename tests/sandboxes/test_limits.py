"""Every limit of a call ends it, is named in the result, and leaves a world that answers the next call."""

import asyncio
import time
from dataclasses import replace

import pytest
import pytest_asyncio

from reasoner.types import Tool

from .conftest import LIMITS, PYTHON

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIB = 2**20
COUNTS = """
import json, sys
def main():
    print(len(json.load(sys.stdin)["text"]))
if __name__ == "__main__":
    main()
"""


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def goes_on(world):
    """Whatever the test has done, the world answers afterwards, and quickly."""
    yield
    started = time.monotonic()
    assert await world.answers()
    assert time.monotonic() - started < 10.0


@pytest.mark.parametrize("warm", [False, True])
async def test_input_that_does_not_fit_is_refused_and_harms_nothing(sandbox, warm):
    small = replace(LIMITS, disk=MIB)
    opened = await sandbox.open({}, small)
    try:
        tool = Tool("count", "", "files", {}, COUNTS.encode(), warm)
        for size in (100, 4 * MIB, MIB, 600_000, 100):
            result, after = await opened.run(opened.root, tool, {"text": "x" * size}, small)
            assert (result.value if size < MIB else result.error) == (size if size < MIB else "refused"), result
            assert size < MIB or (after, "are allowed" in result.detail) == (opened.root, True)
        result, _ = await opened.run(opened.root, PYTHON, {"code": "6 * 7"}, small)
        assert result.value == "42"
    finally:
        await opened.close()


async def test_calls_that_begin_on_a_full_disk_have_a_result(sandbox):
    small = replace(LIMITS, disk=MIB)
    opened = await sandbox.open({"seed": b"s" * 200_000}, small)
    fill = "for i in range(8):\n    try: open(f'f{i}', 'wb').write(b'x' * 1_000_000)\n    except OSError: pass\n"
    try:
        for _ in range(5):
            calls = [opened.run(opened.root, PYTHON, {"code": fill}, small) for _ in range(3)]
            calls += [opened.run(opened.root, PYTHON, {"code": "1"}, small) for _ in range(3)]
            for result, _ in await asyncio.gather(*calls):
                assert result.error in (None, "output", "raised", "refused"), result
        result, _ = await opened.run(opened.root, PYTHON, {"code": "len(open('seed').read())"}, small)
        assert result.value == "200000"
    finally:
        await opened.close()


async def test_a_cell_that_does_not_end_says_where_it_was(world):
    result, after = await world.cell(world.root, "def wait():\n    while True:\n        pass\nwait()", wall_s=0.5)
    assert (result.error, after) == ("timeout", world.root)
    assert "in wait" in result.detail


ENDLESS = [
    "import itertools; 0 in itertools.count(1)",
    "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
    "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "import time; time.sleep(100)",
    "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "import re; re.match('(a*)*b', 'a' * 40)",
    "10 ** 10 ** 9",
]


async def test_a_loop_that_no_alarm_stops_is_killed(world):
    started = time.monotonic()
    done = await asyncio.gather(*(world.cell(world.root, code, wall_s=0.5) for code in ENDLESS))
    assert {(result.error, after) for result, after in done} == {("timeout", world.root)}
    assert time.monotonic() - started < 8.0


async def test_a_program_that_does_not_end_is_killed(world):
    for program in (
        "while True: pass",
        "import time; time.sleep(100)",
        "input()\nwhile True: print('x', flush=True); import time; time.sleep(0.1)",
    ):
        result, after = await world.tool(world.root, program, wall_s=0.5)
        assert (result.error, after) == ("timeout", world.root)


async def test_cpu_seconds_are_bounded_apart_from_wall_seconds(world):
    for call in (world.cell, world.tool):
        result, _ = await call(world.root, "while True: pass", wall_s=30.0, cpu_s=0.5)
        assert result.error == "timeout"
        assert "CPU" in result.detail
        assert result.wall_s < 15.0


async def test_cpu_seconds_are_read_from_the_kernel_children_included(world):
    burn = "import time\nwhile time.process_time() < 0.3: pass\n"
    result, _ = await world.cell(world.root, burn)
    assert 0.25 < result.cpu_s < 1.0
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    for call in (world.cell, world.tool):
        result, _ = await call(world.root, child + "\nprint(1)")
        assert 0.25 < result.cpu_s < 1.0
    result, _ = await world.cell(world.root, "import time; time.sleep(0.3)")
    assert result.cpu_s < 0.2


async def test_memory_is_bounded(world):
    result, after = await world.cell(world.root, f"x = bytearray({2 * LIMITS.memory})")
    assert (result.error, after) == ("memory", world.root)
    assert "MemoryError" in result.detail
    result, _ = await world.cell(world.root, "x = []\nwhile True: x.append(bytes(1 << 20))")
    assert result.error == "memory"
    result, _ = await world.cell(world.root, "x = bytearray(64 << 20); len(x)", memory=128 * MIB)
    assert result.error is None
    result, _ = await world.cell(world.root, "x = bytearray(64 << 20); len(x)", memory=64 * MIB)
    assert result.error == "memory"


async def test_output_is_cut_and_a_flood_is_killed(world):
    result, after = await world.cell(world.root, "print('x' * 3000)", output=1000)
    assert (result.output, result.truncated, result.error) == ("x" * 1000, True, None)
    assert after != world.root
    for code in ("while True: print('x' * 1000)", "import os\nwhile True: os.write(2, b'x' * 100_000)"):
        result, after = await world.cell(world.root, code, output=1000)
        assert (result.error, after) == ("output", world.root)
        assert len(result.output) <= 1000
    result, _ = await world.cell(world.root, "'v' * 10_000_000", output=1000)
    assert (result.error, len(result.value)) == (None, 1000)


async def test_a_program_that_prints_without_end_is_killed(world):
    for stream in ("stdout", "stderr"):
        result, after = await world.tool(
            world.root, f"import sys\nwhile True: sys.{stream}.write('x' * 100_000)", output=1000
        )
        assert (result.error, after) == ("output", world.root)


async def test_processes_are_bounded(world):
    code = (
        "import subprocess, sys, time\nsleep = [sys.executable, '-c', 'import time; time.sleep(9)']\n"
        "started = [subprocess.Popen(sleep) for _ in range(20)]\ntime.sleep(3)"
    )
    result, after = await world.cell(world.root, code, processes=8)
    assert (result.error, after) == ("killed", world.root)
    assert "processes" in result.detail
    result, _ = await world.tool(world.root, code, processes=8)
    assert "processes" in result.detail


async def test_disk_is_bounded(world):
    one_file = "f = open('big', 'wb')\nfor _ in range(64): f.write(bytes(1 << 20)); f.flush()"
    many = "for i in range(64): open(f'big{i}', 'wb').write(bytes(1 << 20))"
    elsewhere = "for i in range(90): open(f'/tmp/big{i}', 'wb').write(bytes(1 << 20))"
    hidden = "import time\nfor i in range(900): open(f'/slots/big{i}', 'wb').write(bytes(1 << 20)); time.sleep(0.001)"
    for code in (one_file, many, elsewhere, hidden):
        result, _ = await world.cell(world.root, code)
        assert result.error in ("raised", "output"), code
        assert await world.answers()
    assert await world.value(
        world.root, "import os; os.listdir('.'), os.listdir('/tmp'), len(os.listdir('/slots'))"
    ) == ("(['seed.txt'], [], 1)")


async def test_deleted_files_that_a_frozen_interpreter_holds_open_do_not_fill_the_disk_for_ever(world):
    for _ in range(12):
        await world.after(
            world.root, "import os; f = open('f', 'wb'); f.write(bytes(8 << 20)); f.flush(); os.remove('f')"
        )


async def test_sparse_files_do_not_count_as_small(world):
    result, after = await world.cell(world.root, "for i in range(4): open(f's{i}', 'wb').truncate(15 << 20)")
    assert (result.error, after) == ("output", world.root)


async def test_inodes_are_bounded(world):
    for code in (
        "for i in range(100_000): open(f'f{i}', 'w').close()",
        "import os\nfor i in range(1000): os.mkdir('d'); os.chdir('d')",
        "import os\nfor i in range(100): os.mkdir('d'); os.chdir('d')",
    ):
        result, after = await world.cell(world.root, code, wall_s=4.0)
        assert result.error in ("raised", "output"), result
        assert after == world.root or result.error == "raised"
        assert await world.answers()


async def test_deep_recursion_is_an_error_of_the_cell(world):
    result, _ = await world.cell(world.root, "def f(): return f()\nf()")
    assert (result.error, "RecursionError" in result.detail) == ("raised", True)
    result, _ = await world.cell(
        world.root, "import sys; sys.setrecursionlimit(10**8)\ndef f(): return f() + 1\nf()", wall_s=1.0
    )
    assert result.error in ("raised", "killed", "memory", "timeout")


async def test_a_limit_that_one_call_meets_leaves_its_neighbours_alone(world):
    tip = await world.after(world.root, "x = 7")
    good = [world.cell(tip, "import time; time.sleep(0.5); x") for _ in range(2)]
    bad = [
        world.cell(world.root, "while True: print('x' * 1000)", output=1000),
        world.cell(world.root, "x = bytearray(1 << 40)"),
        world.tool(world.root, "import os\nos.kill(os.getpid(), 9)"),
    ]
    done = await asyncio.gather(*good, *bad)
    assert [r.value for r, _ in done[:2]] == ["7", "7"]
    assert [r.error for r, _ in done[2:]] == ["output", "memory", "killed"]

"""What a snapshot holds, and that nothing is ever overwritten."""

import asyncio
import random
import time

import pytest

from reasoner.errors import SandboxError
from reasoner.types import Limits

from .conftest import LIMITS, PYTHON

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_cell_shows_what_it_prints_and_the_value_of_its_last_expression(world):
    result, _ = await world.cell(world.root, "print('said')\nimport sys; print('warned', file=sys.stderr)\n[1, 'a']")
    assert (result.output, result.value, result.error) == ("said\nwarned\n", "[1, 'a']", None)
    assert await world.value(world.root, "x = 1") is None


async def test_names_imports_and_functions_last_from_cell_to_cell(world):
    one = await world.after(world.root, "import math\ndef area(r): return math.pi * r * r\nseen = []")
    two = await world.after(one, "seen.append(round(area(1), 3))")
    assert await world.value(two, "seen, area.__module__") == "([3.142], '__main__')"


async def test_the_heap_rewinds(world):
    one = await world.after(world.root, "x = [1]")
    two = await world.after(one, "x.append(2)")
    await world.after(one, "x.append(99)")
    assert await world.value(one, "x") == "[1]"
    assert await world.value(two, "x") == "[1, 2]"


async def test_files_rewind_with_the_heap(world):
    one = await world.after(world.root, "open('seed.txt', 'w').write('one'); open('new', 'w').write('n')")
    two = await world.after(one, "import os; os.remove('new'); os.mkdir('d'); open('d/f', 'w').write('two')")
    names = "import os; sorted(p for _, d, f in os.walk('.') for p in d + f), open('seed.txt').read()"
    assert await world.value(world.root, names) == "(['seed.txt'], 'seed\\n')"
    assert await world.value(two, names) == "(['d', 'f', 'seed.txt'], 'one')"
    assert await world.value(one, names) == "(['new', 'seed.txt'], 'one')"


async def test_a_change_that_keeps_size_and_time_is_not_missed(world):
    one = await world.after(world.root, "open('f', 'w').write('aaaa')")
    two = await world.after(
        one,
        "import os; s = os.stat('f'); open('f', 'w').write('bbbb'); os.utime('f', ns=(s.st_atime_ns, s.st_mtime_ns))",
    )
    assert await world.world.get(two, ["f"]) == {"f": b"bbbb"}
    assert await world.world.get(one, ["f"]) == {"f": b"aaaa"}


async def test_links_modes_and_strange_names_are_kept(world):
    made = await world.after(
        world.root,
        "import os\nopen('run', 'w').close(); os.chmod('run', 0o755); os.symlink('run', 'link'); os.mkdir('empty')\n"
        "open(b'\\xff\\n', 'w').close(); os.mkdir('closed'); open('closed/in', 'w').close(); os.chmod('closed', 0)",
    )
    await world.after(world.root, "open('other', 'w').close()")
    told = "import os; sorted(os.listdir(b'.')), os.readlink('link'), oct(os.stat('run').st_mode), os.listdir('closed')"
    assert await world.value(made, told) == (
        "([b'closed', b'empty', b'link', b'run', b'seed.txt', b'\\xff\\n'], 'run', '0o100755', ['in'])"
    )


async def test_an_exception_is_a_result_and_what_came_before_it_stays(world):
    result, after = await world.cell(world.root, "kept = 1\ndef f(n):\n    return 1 / n\nf(0)")
    assert result.error == "raised"
    assert result.detail.endswith("ZeroDivisionError: division by zero\n")
    assert "return 1 / n" in result.detail
    assert "/opt/reasoner" not in result.detail
    assert await world.value(after, "kept") == "1"


@pytest.mark.parametrize(
    "code",
    [
        "def f(:",
        "raise SystemExit(3)",
        "class E(Exception):\n    def __str__(self): raise E\nraise E",
        "x = " + "(" * 5000,
    ],
)
async def test_whatever_a_cell_raises_the_world_goes_on(world, code):
    result, after = await world.cell(world.root, code)
    assert result.error == "raised"
    assert await world.answers(after)


async def test_a_cell_that_kills_its_interpreter_leaves_the_snapshot_before_it(world):
    one = await world.after(world.root, "x = 1")
    for code in ("import os; os._exit(0)", "import ctypes; ctypes.string_at(0)", "import os; os.abort()"):
        result, after = await world.cell(one, code)
        assert (result.error, after) == ("killed", one)
    assert await world.value(one, "x") == "1"


async def test_a_branch_draws_the_same_random_numbers_as_its_sibling(world):
    one = await world.after(world.root, "import random; random.seed(5); random.random()")
    first = await world.value(one, "random.random()")
    assert await world.value(one, "random.random()") == first


async def test_hashes_are_the_same_in_every_world(sandbox):
    seen = set()
    for _ in range(2):
        opened = await sandbox.open({}, LIMITS)
        result, _ = await opened.run(opened.root, PYTHON, {"code": "hash('a'), list({'a', 'b', 'c', 'd'})"}, LIMITS)
        seen.add(result.value)
        await opened.close()
    assert len(seen) == 1


async def test_branches_do_not_share_the_position_in_an_open_file(world):
    one = await world.after(world.root, "open('f', 'w').write('abcdef')")
    two = await world.after(one, "f = open('f'); f.read(0); import os; os.read(f.fileno(), 2)")
    read = "import os; os.read(f.fileno(), 2)"
    assert await world.value(two, read) == "b'cd'"
    assert await world.value(two, read) == "b'cd'"


async def test_a_half_written_file_goes_on_in_each_branch(world):
    one = await world.after(world.root, "f = open('log', 'w'); f.write('a'); f.flush()")
    two = await world.after(one, "f.write('b'); f.close()")
    three = await world.after(one, "f.write('c'); f.close()")
    assert await world.world.get(two, ["log"]) == {"log": b"ab"}
    assert await world.world.get(three, ["log"]) == {"log": b"ac"}
    assert await world.world.get(one, ["log"]) == {"log": b"a"}


async def test_threads_that_do_not_go_on_are_named(world):
    result, after = await world.cell(
        world.root,
        "import threading, time\nn = [0]\ndef tick():\n    while True: n[0] += 1; time.sleep(0.001)\n"
        "threading.Thread(target=tick, daemon=True).start()",
    )
    assert "thread" in result.degraded
    first = await world.value(after, "n[0]")
    await asyncio.sleep(1.0)
    assert int(await world.value(after, "n[0]")) < int(first) + 100  # a thread that ran on would count to 1000


async def test_background_processes_end_with_their_cell(world):
    code = (
        "import subprocess, sys, time\nsleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "p = subprocess.Popen(sleep, start_new_session=True)\ntime.sleep(0.3); p.pid"
    )
    result, after = await world.cell(world.root, code)
    alive = f"import os\nos.path.exists('/proc/{result.value}')"
    assert await world.value(after, alive) == "False"


async def test_a_cell_that_forks_answers_once_and_its_children_are_collected(world):
    code = (
        "import os, time\nif os.fork() == 0: time.sleep(0.05)\nif os.fork() == 0: os._exit(3)\n"
        "x = os.getpid(); time.sleep(0.2); x"
    )
    at = world.root
    for _ in range(3):
        result, at = await world.cell(at, code)
        assert result.error is None
        assert await world.value(at, "x") == result.value
    seen = "import glob\n[p for p in glob.glob('/proc/[0-9]*/stat') if ') Z ' in open(p).read()]"
    assert await world.value(at, seen) == "[]"


async def test_modules_of_the_workspace_can_be_imported_and_change_with_it(world):
    put = await world.world.put(
        world.root, {"node.py": b"NAME = 'first'\n", "pkg/__init__.py": b"", "pkg/m.py": b"V = 1\n"}
    )
    assert (
        await world.value(put, "import node, pkg.m; node.NAME, pkg.m.V, node.__file__")
        == "('first', 1, '/workspace/node.py')"
    )
    again = await world.world.put(put, {"node.py": b"NAME = 'second'\n"})
    assert await world.value(again, "import node; node.NAME") == "'second'"


async def test_put_and_get_touch_no_other_snapshot(world):
    one = await world.world.put(world.root, {"a/b.txt": b"1", "seed.txt": b"x"})
    two = await world.world.put(one, {"a": b"a file now"})
    assert await world.world.get(one, ["a/b.txt", "seed.txt", "nothing"]) == {"a/b.txt": b"1", "seed.txt": b"x"}
    assert await world.world.get(two, ["a/b.txt", "a"]) == {"a": b"a file now"}
    assert await world.world.get(world.root, ["seed.txt"]) == {"seed.txt": b"seed\n"}
    assert await world.value(two, "open('a').read()") == "'a file now'"


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", ".", "a//b", "a\0b"])
async def test_a_path_that_is_not_plain_is_refused(world, path):
    with pytest.raises(SandboxError, match="plain path"):
        await world.world.put(world.root, {path: b""})


async def test_more_files_than_fit_are_refused(world):
    with pytest.raises(SandboxError, match="do not fit"):
        await world.world.put(world.root, {"big": bytes(LIMITS.disk + 1)})
    with pytest.raises(SandboxError, match="do not fit"):
        await world.world.put(world.root, {f"f{i}": b"" for i in range(LIMITS.inodes + 1)})
    assert await world.answers()


async def test_get_reads_regular_files_only(world):
    made = await world.after(world.root, "import os; os.symlink('/etc/passwd', 'l'); os.mkdir('d'); os.mkfifo('p')")
    assert await world.world.get(made, ["l", "d", "p", "seed.txt"]) == {"seed.txt": b"seed\n"}


async def test_a_program_gets_arguments_and_files_and_answers_in_json(world):
    made = await world.after(world.root, "open('data', 'w').write('21')")
    result, after = await world.tool(
        made,
        "import json, os, sys\nasked = json.load(sys.stdin)\nn = int(open('data').read()) * asked['times']\n"
        "open('result', 'w').write(str(n)); print('working', file=sys.stderr)\n"
        "print(json.dumps({'n': n, 'at': os.getcwd()}))",
        {"times": 2},
    )
    assert (result.value, result.output, result.error) == ({"n": 42, "at": "/workspace"}, "working\n", None)
    assert await world.world.get(after, ["result"]) == {"result": b"42"}
    assert await world.world.get(made, ["result"]) == {}


FAILING = [
    ("print('no json')", "protocol"),
    ("pass", "protocol"),
    ("print('[' * 100_000)", "protocol"),
    ("1 / 0", "raised"),
    ("raise SystemExit(2)", "raised"),
    ("import os; os.kill(os.getpid(), 9)", "killed"),
    ("import os; os.close(1); os.close(2); os.close(0)", "protocol"),
    ("x = bytearray(1 << 30)", "memory"),
]


async def test_a_program_that_fails_is_a_result(world):
    for program, error in FAILING:
        result, after = await world.tool(world.root, program)
        assert (result.error, result.value) == (error, None), program
        assert result.detail
        assert await world.answers(after)


async def test_a_program_has_pytest(world):
    put = await world.world.put(
        world.root, {"test_x.py": b"def test_a(): assert 1 == 1\ndef test_b(): assert 1 == 2\n"}
    )
    result, _ = await world.tool(
        put,
        "import contextlib, io, pytest\nwith contextlib.redirect_stdout(io.StringIO()):\n"
        "    code = pytest.main(['-q', '-p', 'no:cacheprovider'])\nprint(int(code))",
    )
    assert (result.value, result.error) == (1, None)


async def test_calls_on_different_snapshots_run_side_by_side(world):
    tips = [await world.after(world.root, f"n = {i}; open('n', 'w').write('{i}')") for i in range(4)]
    code = (
        "import os, time; time.sleep(1); open('mine', 'w').write(str(n)); n, open('n').read(), sorted(os.listdir('.'))"
    )
    started = asyncio.get_running_loop().time()
    done = await asyncio.gather(*(world.cell(tip, code) for tip in tips))
    assert asyncio.get_running_loop().time() - started < 4 * 1.0
    assert [r.value for r, _ in done] == [f"({i}, '{i}', ['mine', 'n', 'seed.txt'])" for i in range(4)]
    assert [await world.world.get(after, ["mine"]) for _, after in done] == [
        {"mine": str(i).encode()} for i in range(4)
    ]


async def test_one_snapshot_can_be_grown_many_times_at_once(world):
    one = await world.after(world.root, "x = []")
    done = await asyncio.gather(*(world.cell(one, f"x.append({i}); open('f', 'w').write('{i}'); x") for i in range(8)))
    assert [r.value for r, _ in done] == [f"[{i}]" for i in range(8)]
    files = [await world.world.get(after, ["f"]) for _, after in done]
    assert files == [{"f": str(i).encode()} for i in range(8)]


async def test_the_workspace_has_one_name_wherever_a_call_runs(world):
    code = "import time; time.sleep(0.2); open('/workspace/f', 'w').write('{}'); import os; os.getcwd()"
    done = await asyncio.gather(*(world.cell(world.root, code.format(i)) for i in range(3)))
    assert [r.value for r, _ in done] == ["'/workspace'"] * 3
    assert [await world.world.get(after, ["f"]) for _, after in done] == [{"f": str(i).encode()} for i in range(3)]


async def test_programs_and_cells_run_side_by_side(world):
    program = "import time; time.sleep(0.3); open('p', 'w').write('1'); print(1)"
    cell = "import time; time.sleep(0.3); open('c', 'w').write('1')"
    (_, a), (_, b) = await asyncio.gather(world.tool(world.root, program), world.cell(world.root, cell))
    assert await world.world.get(a, ["p", "c"]) == {"p": b"1"}
    assert await world.world.get(b, ["p", "c"]) == {"c": b"1"}


async def test_a_released_snapshot_is_gone_and_its_children_are_not(world):
    one = await world.after(world.root, "x = 1")
    two = await world.after(one, "x += 1")
    await world.world.release(one)
    with pytest.raises(SandboxError, match=one):
        await world.cell(one, "x")
    assert await world.value(two, "x") == "2"


async def test_dropped_snapshots_are_replayed(sandbox):
    """More live interpreters than a world keeps: the first ones come back, heap, files and all."""
    opened = await sandbox.open({}, LIMITS)
    at, tips = opened.root, []
    for i in range(80):
        _, at = await opened.run(
            at, PYTHON, {"code": f"x = globals().get('x', 0) + {i}; open('f', 'w').write(str(x)); x"}, LIMITS
        )
        tips.append(at)
    for i in (0, 5, 40, 79):
        result, _ = await opened.run(tips[i], PYTHON, {"code": "x, int(open('f').read())"}, LIMITS)
        assert result.value == f"({sum(range(i + 1))}, {sum(range(i + 1))})"
    await opened.close()


async def test_a_world_whose_guest_was_lost_is_made_again(world):
    one = await world.after(world.root, "x = 20; open('f', 'w').write('kept')")
    two = await world.after(one, "x += 1")
    await world.world._guest.close()  # as an engine that stops in the middle
    assert await world.value(two, "x, open('f').read()") == "(21, 'kept')"


async def test_what_failed_is_not_replayed(world):
    at = await world.after(world.root, "steps = ['kept']")
    result, at = await world.cell(at, "steps.append('lost'); import time; time.sleep(60)", wall_s=2.0)
    assert result.error == "timeout"
    at = await world.after(at, "steps.append('kept too')")
    await world.world._guest.close()
    began = time.monotonic()
    assert await world.value(at, "steps") == "['kept', 'kept too']"
    assert time.monotonic() - began < 2.0


async def test_a_replay_that_comes_out_differently_is_reported(world):
    one = await world.after(world.root, "import time; open('t', 'w').write(str(time.time_ns()))")
    await world.world._guest.close()
    result, after = await world.cell(one, "1")
    assert "came out differently" in result.degraded
    result, _ = await world.cell(after, "1")
    assert "came out differently" in result.degraded


async def test_a_cancelled_call_is_killed_and_the_world_goes_on(world):
    call = asyncio.create_task(world.cell(world.root, "import time; time.sleep(4)"))
    await asyncio.sleep(0.3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    started = asyncio.get_running_loop().time()
    assert await world.answers()
    assert asyncio.get_running_loop().time() - started < 2.0


async def test_a_closed_world_answers_no_more(sandbox):
    opened = await sandbox.open({}, LIMITS)
    await opened.close()
    with pytest.raises(SandboxError):
        await opened.run(opened.root, PYTHON, {"code": "1"}, LIMITS)


async def test_a_heap_tool_without_code_is_refused(world):
    result, after = await world.world.run(world.root, PYTHON, {"source": "1"}, Limits())
    assert (result.error, after) == ("refused", world.root)


async def test_a_random_walk_always_matches_a_model_that_recomputes_it(world):
    """Grow, branch, rewind, kill: what a snapshot holds is what the steps that lead to it say."""
    chance = random.Random(7)
    model = {world.root: ([], {})}
    for step in range(60):
        at = chance.choice(list(model)[-8:])
        seen, files = model[at]
        kind = chance.choice(["heap", "file", "program", "put", "raise", "die", "remove"])
        name = f"f{chance.randrange(3)}"
        if kind == "put":
            after = await world.world.put(at, {name: str(step).encode()})
            model[after] = (seen, {**files, name: str(step)})
        elif kind == "program":
            result, after = await world.tool(at, f"open({name!r}, 'w').write('{step}'); print(1)")
            model[after] = (seen, {**files, name: str(step)})
        else:
            code = {
                "heap": f"seen = globals().get('seen', []) + [{step}]",
                "file": f"open({name!r}, 'w').write('{step}')",
                "remove": f"import os\nif os.path.exists({name!r}): os.remove({name!r})",
                "raise": f"seen = globals().get('seen', []) + [{step}]\nopen({name!r}, 'w').write('{step}')\n1 / 0",
                "die": f"open({name!r}, 'w').write('{step}')\nimport os; os._exit(1)",
            }[kind]
            result, after = await world.cell(at, code)
            assert (after == at) == (kind == "die"), result
            heap = [*seen, step] if kind in ("heap", "raise") else seen
            disk = {**files, name: str(step)} if kind in ("file", "raise") else files
            if kind == "remove":
                disk = {path: text for path, text in files.items() if path != name}
            if kind != "die":
                model[after] = (heap, disk)
        look = chance.choice(list(model))
        told = "import os\nglobals().get('seen', []), {n: open(n).read() for n in os.listdir('.') if n != 'seed.txt'}"
        found = eval(await world.value(look, told))
        assert found == model[look], (step, kind)


async def test_libraries_that_wheels_take_for_granted_are_there(world):
    names = [
        "libstdc++.so.6",
        "libgcc_s.so.1",
        "libm.so.6",
        "libpthread.so.0",
        "libdl.so.2",
        "librt.so.1",
        "libutil.so.1",
    ]
    assert await world.value(world.root, f"import ctypes\n[n for n in {names} if not ctypes.CDLL(n)]") == "[]"

"""`tools/run_tests`: what a hostile candidate cannot do. Each one does `f` honestly and attacks in `g`."""

import re
import time

import pytest

from reasoner.types import Suite

HONEST = "import gc, itertools, json, os, signal, sys, threading, time\ndef f(x): return x + 1\n"
TESTS = b"""
import unittest
from solution import f, g

class T(unittest.TestCase):
    def test_a(self): self.assertEqual(f(1), 2)
    def test_b(self): self.assertEqual(g(1), 2)
    def test_c(self): self.assertEqual(f(2), 3)
"""
SUITES = {
    "unittest": Suite("unittest", files={"t_test.py": TESTS}),
    "pytest": Suite("pytest", files={"t_test.py": TESTS}),
    "asserts": Suite("asserts", asserts=("assert f(1) == 2", "assert g(1) == 2", "assert f(2) == 3")),
}
FORGED = '{"tests": [{"name": "x", "outcome": "passed", "message": ""}], "error": "", "trust": "strong"}'

BROKEN_OFF = {
    "exit 0": "os._exit(0)",
    "sys.exit": "sys.exit(0)",
    "interrupt": "raise KeyboardInterrupt",
    "print a result": f"print({FORGED!r}, flush=True); os.write(1, b'PASSED'); os._exit(0)",
    "recursion": "return g(x)",
    "close all descriptors": "os.closerange(0, 1000); return 2",
    "delete the tests": "os.path.exists('t_test.py') and os.remove('t_test.py'); os._exit(3)",
    "kill its group": "os.kill(0, signal.SIGKILL)",
    "forge events": '[os.write(fd, b\'["end","T.test_b","passed",""]\\n\') for fd in open_fds()]; os._exit(0)',
    "write anywhere": "[os.write(fd, b'\\xff' * 8) for fd in open_fds()]; return 3",
    "abort": "os.abort()",
    "raise what cannot be shown": "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()",
}
HELPER = """
def open_fds():
    for fd in range(3, 64):
        try:
            os.write(fd, b"")
            yield fd
        except OSError:
            pass
"""
HANGS = {
    "loop": "\n    while True: x += 1",
    "loop that swallows": "\n    while 1:\n        try:\n            while 1: pass\n        except BaseException: pass",
    "loop in C": "return 0 in itertools.count(1)",
    "sleep": "time.sleep(1000)",
    "stop itself": "os.kill(os.getpid(), signal.SIGSTOP)",
    "flood": "\n    while True: print('x' * 100000)",
}


@pytest.mark.parametrize("runner", ["unittest", "asserts"])
@pytest.mark.parametrize("attack", BROKEN_OFF)
def test_a_test_that_is_broken_off_never_passes_and_the_others_keep_their_results(run_suite, runner, attack):
    ran = run_suite({"solution.py": f"{HONEST}{HELPER}def g(x): {BROKEN_OFF[attack]}\n"}, SUITES[runner])
    assert ran.outcomes == ["passed", "error", "passed"]
    assert ran.messages[1]


@pytest.mark.parametrize("attack", ["exit 0", "interrupt", "delete the tests", "forge events"])
def test_the_same_holds_under_pytest(run_suite, attack):
    ran = run_suite({"solution.py": f"{HONEST}{HELPER}def g(x): {BROKEN_OFF[attack]}\n"}, SUITES["pytest"])
    assert ran.outcomes[1] == "error"
    assert not ran.report.solved


@pytest.mark.parametrize("runner", ["unittest", "asserts"])
@pytest.mark.parametrize("hang", HANGS)
def test_a_test_that_hangs_costs_its_own_time_only(run_suite, runner, hang):
    began = time.monotonic()
    ran = run_suite({"solution.py": f"{HONEST}def g(x): {HANGS[hang]}\n"}, SUITES[runner], test_s=0.5)
    assert ran.outcomes == ["passed", "timeout", "passed"]
    waits = hang in ("sleep", "stop itself")
    seconds = "2" if waits else "(0.5|2)"  # on a machine that is busy enough the clock is first
    assert re.search(f"did not finish within {seconds} s", ran.messages[1])
    assert time.monotonic() - began < 20


def test_seconds_are_those_of_the_cpu_so_that_a_busy_machine_changes_no_verdict(run_suite):
    busy = f"{HONEST}def g(x):\n    while time.process_time() < 0.4: pass\n    return 2\n"
    wait = f"{HONEST}def g(x):\n    time.sleep(0.7)\n    return 2\n"
    for candidate in (busy, wait):
        assert run_suite({"solution.py": candidate}, SUITES["asserts"], test_s=0.5).report.solved


def test_a_loop_is_told_by_the_line_where_it_was(run_suite):
    ran = run_suite(
        {"solution.py": f"{HONEST}def g(x):\n    while x:\n        x += 1\n"}, SUITES["unittest"], test_s=0.5
    )
    statement, limit, frame = ran.messages[1].splitlines()
    assert statement == "self.assertEqual(g(1), 2)"
    assert limit == "did not finish within 0.5 s"
    assert frame.startswith("solution.py:")


def test_the_time_of_the_whole_suite_bounds_it_and_the_rest_is_named(run_suite):
    suite = Suite("asserts", asserts=tuple(f"assert g({i}) == 2" for i in range(10)))
    ran = run_suite({"solution.py": f"{HONEST}def g(x): time.sleep(100)\n"}, suite, test_s=0.5, total_s=2)
    assert ran.outcomes == ["timeout"] * 10
    assert ran.messages[-1] == "not run: the suite's time was used up"


def test_killing_the_supervisor_leaves_no_answer(run_suite):
    ran = run_suite({"solution.py": f"{HONEST}def g(x): os.kill(os.getppid(), 9); return 2\n"}, SUITES["unittest"])
    assert ran.stdout == ""
    assert ran.report.error
    assert not ran.report.solved


LIES = {
    "equal to everything": "class L:\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n",
    "an int that is equal to everything": "class L(int):\n    def __eq__(s, o): return True\n    __ne__ = __eq__\n",
    "greater and less": "class L:\n    __lt__ = __gt__ = __le__ = __ge__ = __eq__ = lambda s, o: True\n",
    "arithmetic": "class L(float):\n    __sub__ = __rsub__ = lambda s, o: 0.0\n",
    "length of everything": "class L(str):\n    __eq__ = lambda s, o: True\n    __hash__ = None\n",
    "a value of the mocks": "from unittest.mock import ANY\ndef L(): return ANY\n",
}


@pytest.mark.parametrize("lie", LIES)
def test_no_object_of_the_candidate_takes_part_in_a_comparison(run_suite, lie):
    suite = Suite(
        "asserts",
        asserts=(
            "assert g(1) == 2",
            "assert 2 == g(1)",
            "assert g(1) in [2, 3]",
            "assert [g(1)] == [2]",
            "assert abs(g(1) - 2) < 0.1",
            "assert 5 < g(1) < 6",
        ),
    )
    ran = run_suite({"solution.py": f"{HONEST}{LIES[lie]}\ndef g(x): return L()\n"}, suite)
    assert "passed" not in ran.outcomes


@pytest.mark.parametrize(
    "value",
    [
        {"named": ["unittest.mock", "ANY"]},
        {"mine": 10**9},
        {"yours": 0},
        {"int": "zz"},
        {"dict": [[[], 1]]},
        {"tuple": 5},
        {"decimal": "x"},
        {},
        {"a": 1, "b": 2},
    ],
    ids=str,
)
def test_a_forged_frame_is_no_value(run_suite, value):
    forge = (
        "def g(x):\n    data = json.dumps(['value', VALUE, None]).encode()\n"
        "    for fd in open_fds():\n        os.write(fd, len(data).to_bytes(4, 'big') + data)\n    os._exit(0)\n"
    ).replace("VALUE", repr(value))
    ran = run_suite({"solution.py": f"{HONEST}{HELPER}{forge}"}, SUITES["asserts"])
    assert ran.outcomes[1] in ("error", "failed")
    assert ran.outcomes[0] == "passed"


def test_a_function_of_the_tests_does_not_lead_to_what_the_tests_expect(run_suite):
    candidate = (
        f"{HONEST}def g(x):\n    return x.__globals__['EXPECTED']\ndef h(x):\n    return x.__code__.co_consts[1]\n"
    )
    setup = "EXPECTED = 7\ndef expected():\n    return 98765\n"
    ran = run_suite(
        {"solution.py": candidate},
        Suite("asserts", asserts=("assert g(expected) == 7", "assert h(expected) == 98765"), setup=setup),
    )
    assert ran.outcomes == ["error", "error"]
    assert "not allowed" in ran.messages[0]


SEARCH = """
import gc, os, re
NEEDLE = b"98765" + b"43210987"

def readable(pid):
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
            for line in maps:
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                memory.seek(start)
                try:
                    if NEEDLE in memory.read(min(end - start, 2**26)):
                        return True
                except (OSError, OverflowError, ValueError):
                    pass
    except OSError:
        return False

def family():
    pid = os.getpid()
    while pid > 1:
        yield pid
        with open(f"/proc/{pid}/stat") as stat:
            pid = int(stat.read().rpartition(")")[2].split()[1])
        if "run.py" not in open(f"/proc/{pid}/cmdline").read():
            break

def g():
    found = [pid for pid in family() if pid != os.getpid() and readable(pid)]
    here = [o for o in gc.get_objects() if isinstance(o, list) and 9876543210987 in o]
    inputs = [os.path.exists(f"/proc/{pid}/fd/0") for pid in family() if pid != os.getpid()]
    return 9876543210987 if found or here or any(inputs) else "nothing found"
"""


def test_a_candidate_finds_what_is_expected_neither_in_its_own_memory_nor_in_its_parents(run_suite, unprivileged):
    suite = Suite("asserts", asserts=("assert g() == 9876543210987",))
    ran = run_suite({"solution.py": SEARCH}, suite, before=unprivileged)
    assert ran.messages == ["g() returned 'nothing found', expected 9876543210987"]


def test_a_thread_or_a_child_left_behind_does_not_keep_the_suite(run_suite):
    leave = "def g(x):\n    threading.Thread(target=time.sleep, args=(600,)).start()\n    os.fork()\n    return 2\n"
    ran = run_suite({"solution.py": HONEST + leave}, SUITES["unittest"])
    assert ran.report.solved


@pytest.mark.parametrize("content", [b"\0\0", b"x = '\xe9'\n", b"\xff\xfe", b"def f(:\n" * 3, b"(" * 5000], ids=repr)
def test_bytes_that_are_no_program_are_an_error_of_the_suite(run_suite, content):
    for runner in ("unittest", "asserts"):
        ran = run_suite({"solution.py": content[:20000]}, SUITES[runner])
        assert ran.report.error.partition("\n")[0].endswith("could not be imported")


def test_killing_the_zygote_keeps_the_results_so_far(run_suite):
    kill = "def g(x):\n    os.kill(os.getppid(), 9)\n    time.sleep(0.2)\n    os._exit(0)\n"
    ran = run_suite({"solution.py": HONEST + kill}, SUITES["asserts"])
    assert ran.outcomes == ["passed", "error", "error"]
    assert ran.messages[2].startswith("not run: ")


CHEATS = {
    "raises what equals everything": """
class E(Exception):
    def __eq__(s, o): return True
def g(x): raise E
""",
    "an iterator of its own": """
class I:
    def __iter__(s): return s
    def __next__(s): return 2
    def __eq__(s, o): return True
def g(x): return I()
""",
    "a generator that looks at the frame above": """
def g(x):
    yield from ()
    import sys
    frame = sys._getframe()
    while frame: yield frame.f_locals.get('right'); frame = frame.f_back
""",
    "a class as the value": """
class M(type):
    def __eq__(s, o): return True
    __hash__ = None
class g2(metaclass=M): pass
def g(x): return g2
""",
    "a dict with a lying key": """
class K(str):
    def __eq__(s, o): return True
    def __hash__(s): return 0
def g(x): return {K('a'): K('b')}
""",
    "a float that is close to everything": """
class F(float):
    def __sub__(s, o): return 0.0
    __rsub__ = __sub__
    def __abs__(s): return 0.0
def g(x): return F('nan')
""",
    "changes its arguments to agree": """
def g(x):
    if isinstance(x, list): x[:] = [1, 2]
    return x
""",
    "builtins": """
import builtins
builtins.isinstance = lambda *a: True
builtins.abs = lambda x: 0
builtins.all = lambda x: True
def g(x): return 3
""",
    "operator": """
import operator
operator.eq = lambda *a: True
import ast
ast.parse = None
def g(x): return 3
""",
    "the channel closed": """
import os
def g(x):
    os.closerange(3, 100)
    return 2
""",
    "names that the tests use": """
__claim__ = __builtins__ = lambda *a: None
abs = len = sum = set = sorted = lambda *a: 0
class math: isclose = lambda *a: True
def g(x): return 3
""",
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_no_cheat_passes_a_claim_that_does_not_hold(run_suite, cheat):
    suite = Suite(
        "asserts",
        asserts=(
            "assert g(1) == 2",
            "assert 2 == g(1)",
            "assert [g(1)] == [2] and g([5]) == [5]",
            "assert {'k': g(1)} == {'k': 2}",
            "x = [5]\nassert g(x) == [5]",
            "assert set([g(1)]) == set([2])",
            "assert sum([g(1), 0]) == sum([2, 0])",
            "assert abs(g(1) - 2) < 1e-6",
            "import math\nassert math.isclose(g(1), 2)",
            "assert math.isclose(g(1), 2)",
            "assert sorted([g(1), 9]) == [2, 9]",
            "assert len([n for n in g(1)]) == 2 and list(g(1)) == [2, 2]",
        ),
    )
    ran = run_suite({"solution.py": f"{HONEST}{CHEATS[cheat]}\n"}, suite)
    assert "passed" not in ran.outcomes


def test_a_task_may_be_to_write_what_python_has_already(run_suite):
    candidate = "def sum(a, b):\n    return a + b + 1\ndef max(*a):\n    return 0\n"
    assert run_suite({"solution.py": candidate}, Suite("asserts", asserts=("assert sum(1, 2) == 4",))).report.solved

"""A suite is run on a candidate in a world of its own, and what comes back is not believed beyond its form."""

from dataclasses import replace

import pytest

from reasoner.types import Suite

from .conftest import LIMITS

pytestmark = pytest.mark.asyncio(loop_scope="session")

GRADING = replace(LIMITS, wall_s=15.0)
ASSERTS = Suite("asserts", asserts=("assert double(2) == 4", "assert double('a') == 'aa'", "assert double(0) == 1"))
PYTEST = Suite(
    "pytest",
    files={
        "test_x.py": b"from solution import double\n"
        b"def test_a(): assert double(1) == 2\ndef test_b(): assert double(1) == 3\n"
    },
    targets=("test_x.py",),
)
RIGHT = {"solution.py": b"def double(x): return x * 2\n"}


async def test_asserts_are_counted_one_by_one_and_trusted(sandbox):
    report = await sandbox.grade(RIGHT, ASSERTS, GRADING)
    assert [t.outcome for t in report.tests] == ["passed", "passed", "failed"], report
    assert (report.error, report.trust, report.level) == ("", "strong", sandbox.level)


async def test_a_pytest_suite_is_weakly_trusted(sandbox):
    report = await sandbox.grade(RIGHT, PYTEST, GRADING)
    assert [t.outcome for t in report.tests] == ["passed", "failed"], report
    assert report.trust == "weak"


async def test_a_forged_answer_of_a_pytest_suite_does_not_claim_strong_trust(sandbox):
    forged = b'import os\nos.write(1, b\'{"tests": [], "error": "", "trust": "strong"}\')\nos._exit(0)\n'
    report = await sandbox.grade({"solution.py": forged}, PYTEST, GRADING)
    assert report.trust == "weak"
    assert not report.solved


async def test_a_candidate_that_never_ends_is_a_report(sandbox):
    report = await sandbox.grade({"solution.py": b"while True: pass\n"}, ASSERTS, replace(GRADING, wall_s=4.0))
    assert not report.solved
    assert report.wall_s < 10.0


async def test_candidates_never_meet(sandbox):
    leave = {
        "solution.py": b"open('/tmp/left', 'w').write('x')\nopen('left', 'w').write('x')\ndef double(x): return x * 2\n"
    }
    look = {
        "solution.py": b"import os\ndef double(x): return [p for p in ('/tmp/left', 'left') if os.path.exists(p)]\n"
    }
    await sandbox.grade(leave, ASSERTS, GRADING)
    report = await sandbox.grade(look, Suite("asserts", asserts=("assert double(1) == []",)), GRADING)
    assert report.solved, report


async def test_the_world_of_an_earlier_candidate_is_empty_when_the_next_one_comes(sandbox):
    """The same world may grade assert lists one after the other: nothing of one is there for the next."""
    leave = b"""
import os, subprocess, sys, time
open('left', 'w').close(); os.mkdir('pkg'); open('/tmp/left', 'w').close(); open('/dev/shm/left', 'w').close()
os.symlink('/', '/slots/left')
if os.fork() == 0:
    os.setsid()
    time.sleep(60)
def double(x): return x * 2
"""
    look = b"""
import os
def double(x):
    return sorted(os.listdir('.')), os.listdir('/tmp'), os.listdir('/dev/shm'), os.listdir('/slots')
"""
    expected = "assert double(1) == (['solution.py'], [], [], ['0'])"
    for _ in range(2):
        await sandbox.grade({"solution.py": leave}, ASSERTS, GRADING)
        report = await sandbox.grade({"solution.py": look}, Suite("asserts", asserts=(expected,)), GRADING)
        assert report.solved, report
        assert report.trust == "strong"


async def test_not_even_a_closed_connection_of_an_earlier_candidate_is_met(sandbox):
    """A closed connection keeps its port for a minute, which the next one could find: its world is not used again."""
    leave = b"""
import socket
def double(x):
    server = socket.create_server(('127.0.0.1', 0))
    client = socket.create_connection(server.getsockname())
    server.accept()[0].close()
    client.close()
    return x * 2
"""
    look = b"def double(x): return [len(open(f'/proc/net/{kind}').readlines()) for kind in ('tcp', 'udp')]"
    for _ in range(2):
        report = await sandbox.grade({"solution.py": leave}, ASSERTS, GRADING)
        assert report.tests[0].outcome == "passed", report
        report = await sandbox.grade(
            {"solution.py": look}, Suite("asserts", asserts=("assert double(1) == [1, 1]",)), GRADING
        )
        assert report.solved, report


async def test_a_suite_in_one_process_with_its_candidate_gets_a_world_that_nobody_has_again(sandbox):
    await sandbox.grade(RIGHT, ASSERTS, GRADING)
    idle = [world for _, world in sandbox._graders]
    await sandbox.grade(RIGHT, PYTEST, GRADING)
    assert [world for _, world in sandbox._graders] == idle


async def test_a_candidate_that_kills_what_grades_it_costs_no_other_one(sandbox):
    killing = b"""
import os
def double(x):
    for pid in set(range(2, 400)) - {os.getpid()}:
        try: os.kill(pid, 9)
        except OSError: pass
    return x * 2
"""
    assert not (await sandbox.grade({"solution.py": killing}, ASSERTS, GRADING)).solved
    report = await sandbox.grade(RIGHT, ASSERTS, GRADING)
    assert [t.outcome for t in report.tests] == ["passed", "passed", "failed"], report

"""kill -9 at any moment: the same command goes on, every task comes out once, and as if nothing had happened."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reasoner.batch import read_records

TASKS = 60
VICTIM = Path(__file__).with_name("victim.py")


def started(out: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, str(VICTIM), str(out), str(TASKS)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def compared(out: Path) -> list[dict[str, object]]:
    return sorted((r.compared() for r in read_records(out / "results.jsonl")), key=lambda r: str(r["task"]))


def lines(out: Path) -> int:
    results = out / "results.jsonl"
    return results.read_bytes().count(b"\n") if results.exists() else 0


def ended(process: "subprocess.Popen[str]", out: Path, more: int, delay: float) -> bool:
    """Kill it `delay` seconds after it has written `more` records; whether it came to its end before."""
    until = lines(out) + more
    while process.poll() is None and lines(out) < until:
        time.sleep(0.0005)
    time.sleep(delay)
    process.kill()
    return process.wait() == 0


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_was_left_alone(tmp_path: Path) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    with started(alone) as process:
        assert process.wait() == 0
    chance, kept = random.Random(7), [0]
    done = False
    while not done:
        with started(killed) as process:
            done = ended(process, killed, chance.randrange(12), chance.uniform(0.0, 0.01))
        kept.append(lines(killed))
        assert kept[-2] <= kept[-1] <= TASKS, "nothing is lost"
    assert len(kept) > 4
    assert [r["task"] for r in compared(killed)] == sorted(f"q/{n}" for n in range(TASKS)), "nothing is done twice"
    assert compared(killed) == compared(alone)

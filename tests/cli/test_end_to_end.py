"""`reasoner solve` as a user runs it: a real model, a real sandbox, a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reasoner import models, trace
from reasoner.errors import ModelError

MODEL = "smollm2-135m-instruct"
TASK = {
    "TASK.md": "Write the function `add(a, b)` that returns the sum of two numbers.\n",
    "adding.py": "def add(a, b):\n    raise NotImplementedError\n",
    "test_adding.py": (
        "import unittest\n\nimport adding\n\n\nclass AddTest(unittest.TestCase):\n"
        "    def test_it_returns_something(self):\n        self.assertIsNotNone(adding.add(1, 2))\n"
    ),
}
"""Its tests ask for little: not the model is tested here but everything around it."""
NEVER = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test(self):\n        self.fail('never')\n"

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _here() -> None:
    try:
        models.path(MODEL)
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "adding"
    folder.mkdir()
    for name, text in TASK.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def command(task: Path, *flags: str) -> list[str]:
    fixed = ["--model", MODEL, "--strategy", "single", "--sandbox", "bubblewrap", "--traces", str(task.parent / "runs")]
    return [sys.executable, "-m", "reasoner", "solve", str(task), *fixed, *flags]


@contextmanager
def searching(task: Path) -> Iterator["subprocess.Popen[str]"]:
    """A solve that cannot end by itself, in the middle of its search."""
    (task / "test_adding.py").write_text(NEVER, encoding="utf-8")
    process = subprocess.Popen(
        command(task, "--strategy", "best_of_n", "--attempts", "1000", "--width", "2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stderr is not None
            while "attempt" not in process.stderr.readline():
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def test_a_killed_search_goes_on_with_what_it_had(task: Path) -> None:
    with searching(task) as process:
        process.kill()
        process.wait(timeout=60)
    [record] = (task.parent / "runs").iterdir()
    before = trace.read(record)
    (task / "test_adding.py").write_text(TASK["test_adding.py"], encoding="utf-8")
    resume = [sys.executable, "-m", "reasoner", "resume", str(record), "--add", "60", "--json"]
    done = subprocess.run(resume, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    said = json.loads(done.stdout)
    after = trace.read(record)
    assert said["trace"] == str(record)
    assert f"reasoner resume {record} --add" in said["resume"]
    assert after.tree().nodes[: len(before.tree())] == before.tree().nodes
    assert after.spent.tokens >= before.spent.tokens + 60
    assert {e.head for e in after.events if isinstance(e, trace.Dropped) and e.reason == "killed"} == set(before.lost)


def descendants(pid: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text(encoding="latin-1").rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def gone(processes: set[int]) -> bool:
    """Whether all end, as the kernel takes a killed namespace down a moment after its last descriptor."""
    until = time.monotonic() + 20
    while left := [pid for pid in processes if Path(f"/proc/{pid}").exists()]:
        if time.monotonic() > until:
            return False
        time.sleep(0.1 * len(left))
    return True


def test_what_a_model_writes_is_tested_graded_and_shown(task: Path) -> None:
    done = subprocess.run(command(task, "--json"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["status"] == "solved"
    assert said["verified"]["passed"] == said["verified"]["counted"] == 1
    assert said["sandbox"].startswith("bwrap")
    tree = trace.read(Path(said["trace"])).tree()
    assert tree[tree.best("visible") or 0].score("visible") == 1.0
    assert (task / "adding.py").read_text(encoding="utf-8") == TASK["adding.py"], "only --write writes"


def test_write_puts_the_solution_in_place(task: Path) -> None:
    done = subprocess.run(command(task, "--write", "--quiet"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "adding.py\n", "")
    assert (task / "adding.py").read_text(encoding="utf-8") != TASK["adding.py"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_search_keeps_its_trace_and_leaves_nothing_running(
    task: Path, number: signal.Signals, code: int
) -> None:
    with searching(task) as process:
        children = descendants(process.pid)
        assert children, "a sandbox was open"
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=60)
    [record] = (task.parent / "runs").iterdir()
    assert process.returncode == code, err
    assert out == ""
    assert f"what was tried so far is recorded in {record}" in err
    assert "Traceback" not in err
    assert len(trace.read(record).tree()) > 1
    assert gone(children)

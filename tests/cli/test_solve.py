"""A whole solve as the command does it, on the scripted core and sandbox."""

import json
from pathlib import Path

import pytest

from reasoner import trace
from reasoner.cli.screen import Screen
from reasoner.cli.solve import conclude, recorded, search
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.errors import CoreError, TraceError
from reasoner.ledger import Budget
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN
from reasoner.types import Files, Json, Report, Suite, Task, TestResult, ToolResult

STUB = b"def double(x):\n    pass\n"
TASK = Task(
    "double",
    "Double a number.",
    {"solution.py": STUB},
    ("solution.py",),
    Suite("asserts", asserts=("assert double(2) == 4", "assert double(0) == 0")),
)
RIGHT = "def double(x):\n    return 2 * x\n```"
WRONG = "def double(x):\n    return x * x\n```"
DIFF = """\
--- a/solution.py
+++ b/solution.py
@@ -1,2 +1,2 @@
 def double(x):
-    pass
+    return 2 * x
"""


def judged(files: Files) -> tuple[TestResult, ...]:
    right = b"2 * x" in files["solution.py"]
    return TestResult("four", "passed" if right else "failed", "" if right else "assert 4 == 5"), TestResult(
        "zero", "passed"
    )


def ran(name: str, arguments: Json, files: Files) -> ToolResult:
    rows = [{"name": t.name, "outcome": t.outcome, "message": t.message} for t in judged(files)]
    return ToolResult(value={"tests": rows, "error": "", "trust": "strong"})


def reasoner(*replies: str, attempts: int = 4, tokens: int | None = None) -> Reasoner:
    core = ScriptedCore([Reply(text) for text in replies])
    sandbox = ScriptedSandbox(ran, lambda files, suite: Report(judged(files), trust="strong"))
    strategy = BestOfN(attempts)
    return Reasoner(core, sandbox, strategy, width=1, budget=Budget(tokens), clock=core.clock)


async def solved(folder: Path, solver: Reasoner, into: Path | None = None, as_json: bool = False) -> int:
    screen = Screen()
    with recorded(folder, TASK.id) as recorder:
        answer = await search(solver, TASK, recorder, screen)
    return conclude(answer, screen, into, as_json=as_json)


async def test_the_diff_is_all_of_stdout_and_the_story_is_on_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await solved(tmp_path, reasoner(WRONG, RIGHT)) == 0
    out, err = capfd.readouterr()
    assert out == DIFF
    assert "✗ attempt 1" in err
    assert "✓ attempt 2" in err
    assert "solved: all visible tests pass; attempt 2 of 2" in err
    assert "2/2 tests pass (asserts), once more in a fresh world" in err


async def test_the_trace_is_where_the_summary_says(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    await solved(tmp_path / "runs", reasoner(RIGHT), as_json=True)
    said = json.loads(capfd.readouterr().out)
    path = Path(said["trace"])
    assert path.parent == tmp_path / "runs"
    assert len(trace.read(path).tree()) == 2


async def test_write_puts_the_solution_in_place_and_names_the_files(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    task = tmp_path / "task"
    task.mkdir()
    (task / "solution.py").write_bytes(STUB)
    assert await solved(tmp_path, reasoner(WRONG, RIGHT), into=task) == 0
    assert capfd.readouterr().out == "solution.py\n"
    assert (task / "solution.py").read_bytes() == b"def double(x):\n    return 2 * x\n"


async def test_an_unsolved_task_is_shown_with_its_failing_tests_and_never_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    task = tmp_path / "task"
    task.mkdir()
    (task / "solution.py").write_bytes(STUB)
    assert await solved(tmp_path, reasoner(WRONG, WRONG, attempts=2), into=task) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "not solved: " in err
    assert "✗ four failed: assert 4 == 5" in err
    assert "nothing was written" in err
    assert (task / "solution.py").read_bytes() == STUB


async def test_a_spent_budget_has_an_exit_code_of_its_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert await solved(tmp_path, reasoner(WRONG, WRONG, RIGHT, tokens=10), as_json=True) == 3
    said = json.loads(capfd.readouterr().out)
    assert said["status"] == "suspended"
    assert said["reason"] == "budget spent: tokens"


async def test_a_search_that_breaks_off_says_where_its_record_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CoreError):
        await solved(tmp_path, reasoner(WRONG))
    [path] = tmp_path.iterdir()
    assert f"what was tried so far is recorded in {path}" in capfd.readouterr().err
    assert len(trace.read(path).tree()) == 2


def test_a_search_that_never_began_leaves_no_record(tmp_path: Path) -> None:
    def fail() -> None:
        with recorded(tmp_path, "t"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_hostile_task_id_names_no_file_elsewhere(tmp_path: Path) -> None:
    with recorded(tmp_path / "runs", "../../\x1b[2Jetc/passwd\0") as recorder:
        assert recorder.path.parent == tmp_path / "runs"
        assert recorder.path.name.isascii()


def test_two_runs_in_one_second_have_two_records(tmp_path: Path) -> None:
    with recorded(tmp_path, "t") as one, recorded(tmp_path, "t") as two:
        assert one.path != two.path


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    def begin() -> None:
        with recorded(tmp_path / "file" / "runs", "t"):
            pass

    with pytest.raises(TraceError, match="choose another --traces"):
        begin()

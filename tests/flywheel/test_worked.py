"""Solutions that a data set brings become records that the flywheel learns from, where they pass."""

from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from reasoner import trace
from reasoner.completions import Sampling
from reasoner.dialect.spoken import Spoken
from reasoner.dialect.tokenizer import SpeakingTokenizer
from reasoner.errors import CoreError
from reasoner.flywheel.reading import Wanted, gather, traces
from reasoner.flywheel.worked import WorkedCore
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN
from reasoner.types import Files, Json, Report, Suite, Task, TestResult, ToolResult

SIX = Task("six", "What is 2 times 3?", answer="6")
LONGER = Task("longer", "What is 2 times 3? Add 1.", answer="7")
WRONG = Task("wrong", "What is 2 plus 2?", answer="4")
CODE = Task("code", "Double a number.", editable=("solution.py",), visible=Suite("asserts", asserts=("assert 1",)))
WORKED = [
    (SIX, "print(2 * 3)"),
    (LONGER, "print(2 * 3 + 1)"),
    (WRONG, "print(5)"),
    (CODE, "def double(x): return 2 * x"),
]
SAYS = {"print(2 * 3)\n": "first\n6.0\n", "print(2 * 3 + 1)\n": "7\n", "print(5)\n": "5\n"}


def says(name: str, arguments: Json, files: Files) -> ToolResult:
    if name == "python":
        return ToolResult(output=SAYS[str(arguments["code"])])
    passed = {"name": "assert 0", "outcome": outcome(files), "message": ""}
    return ToolResult(value={"tests": [passed], "error": "", "trust": "weak"})


def grade(candidate: Files, suite: Suite) -> Report:
    return Report((TestResult("assert 0", outcome(candidate)),))


def outcome(files: Files) -> Literal["passed", "failed"]:
    return "passed" if b"2 * x" in files.get("solution.py", b"") else "failed"


def core() -> WorkedCore:
    return WorkedCore(SpeakingTokenizer(), WORKED, 2**16)


async def recorded(task: Task, folder: Path) -> str:
    with closing(trace.Recorder(folder / f"{task.id}.jsonl", lambda: 0.0)) as recorder:
        result = await Reasoner(core(), ScriptedSandbox(says, grade), BestOfN(1)).solve(task, recorder)
    return result.status


async def test_what_passes_is_learnt_as_it_was_said(tmp_path: Path) -> None:
    assert [await recorded(task, tmp_path) for task, _ in WORKED] == ["solved", "solved", "unsolved", "solved"]
    dialect = Spoken(core().tokenizer)
    answers = {task.id: task.answer for task, _ in WORKED if task.answer}
    found = gather(traces([tmp_path]), dialect, Wanted(2**16, answers=answers))
    assert {episode.task for episode in found.episodes} == {"six", "longer", "code"}
    names = {i: name for name, i in dialect.tokenizer.controls.items()}
    said = {
        row.task: "".join(
            names.get(i) or dialect.tokenizer.decode([i]) for i, ok in zip(row.ids, row.learnt, strict=True) if ok
        )
        for row in found.rows
    }
    assert said["six"] == "<|act|>print(2 * 3)\n<|end|><|answer|>6<|end|>", "as the reference writes what was printed"
    assert said["code"] == "<|act|>def double(x): return 2 * x\n<|end|>"


async def test_nothing_else_can_be_asked() -> None:
    one = core()
    with pytest.raises(CoreError, match="no worked solution for a prompt that begins with 'Who'"):
        await one.complete([*one.tokenizer.encode("Who"), one.tokenizer.controls["<|act|>"]], Sampling())
    with pytest.raises(CoreError, match="no model to score with"):
        await one.score([1], [2])
    with pytest.raises(CoreError, match="no reward head 'outcome'"):
        await one.value([1], "outcome")

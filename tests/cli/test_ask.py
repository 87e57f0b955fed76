"""`reasoner ask` on the scripted core: what is shown while it thinks, and what is the answer."""

import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from reasoner import trace
from reasoner.cli.ask import answered, conclude, one_line_of_thought, question
from reasoner.cli.screen import Screen
from reasoner.config import BudgetConfig, Config, SearchConfig
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.errors import TaskError
from reasoner.repl.asking import AskView
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN, Single
from reasoner.types import Task, ToolResult

TASK = Task("question", "How many legs have 6 spiders?")
BLOCK = "Eight [bold]each[/bold].\n```python\nprint(6 * 8)\n```\n"


def reasoner(*replies: str, strategy: object = None, result: ToolResult | None = None) -> Reasoner:
    core = ScriptedCore([Reply(text) for text in replies])
    sandbox = ScriptedSandbox(lambda name, arguments, files: result or ToolResult("48\n"))
    return Reasoner(core, sandbox, strategy or Single(), clock=core.clock)  # type: ignore[arg-type]


async def shown(solver: Reasoner) -> str:
    out = io.StringIO()
    await solver.solve(TASK, AskView(Console(file=out, width=80, highlight=False)))
    return out.getvalue()


async def test_thought_code_and_output_stand_below_each_other_as_they_are_written() -> None:
    assert await shown(reasoner(BLOCK, "So it is 48.\nAnswer: 48")) == (
        "Eight [bold]each[/bold].\n```python\nprint(6 * 8)\n```\n  │ 48\nSo it is 48.\nAnswer: 48\n"
    )


async def test_what_code_raised_is_shown_and_hostile_text_is_made_harmless() -> None:
    raised = ToolResult("\x1b[2Jgone\x07\n", error="raised", detail="ZeroDivisionError: \x1b]0;x\x07 division")
    said = await shown(reasoner(BLOCK, "Answer: \x1b[31m48", result=raised))
    assert "  │ gone\n  │ raised: ZeroDivisionError:  division\n" in said
    assert "\x1b" not in said and "\x07" not in said


async def test_one_line_of_thought_is_shown_and_of_the_others_what_they_say() -> None:
    said = await shown(reasoner("Answer: 48", "Answer: 47", strategy=BestOfN(2)))
    assert said.count("Answer: ") == 1
    assert "another line of thought says: 4" in said


async def test_the_answer_alone_goes_to_stdout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    recorder = trace.Recorder(tmp_path / "t.jsonl", lambda: 0.0)
    result = await answered(reasoner(BLOCK, "So.\nAnswer: 48"), TASK, recorder, Screen())
    recorder.close()
    conclude(TASK, result, recorder.path, Screen(), as_json=False)
    out, err = capfd.readouterr()
    assert out == "48\n"
    assert "print(6 * 8)" in err and f"trace {recorder.path}" in err
    conclude(TASK, result, recorder.path, Screen(quiet=True), as_json=True)
    out, err = capfd.readouterr()
    said = json.loads(out)
    assert (said["answer"], said["status"], said["question"], err) == ("48", "answered", TASK.prompt, "")


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_what_is_piped_in_belongs_to_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    piped(monkeypatch, b"a,b\n1,2\n")
    assert question("What is b?") == "What is b?\n\na,b\n1,2"
    piped(monkeypatch, "How many é?".encode())
    assert question(None) == "How many é?"


@pytest.mark.parametrize(
    ("content", "said"), [(b" \n", "nothing is asked"), (b"\xff", "is not UTF-8"), (b"x" * 70_000, "70,000 characters")]
)
def test_what_is_no_question_is_refused(monkeypatch: pytest.MonkeyPatch, content: bytes, said: str) -> None:
    piped(monkeypatch, content)
    with pytest.raises(TaskError, match=said):
        question("")


def test_a_chosen_strategy_is_kept_and_the_default_reads_from_top_to_bottom() -> None:
    assert one_line_of_thought(Config()).search.strategy == "single"
    assert one_line_of_thought(Config(search=SearchConfig(strategy="best_of_n"))).search.strategy == "best_of_n"
    assert one_line_of_thought(Config(budget=BudgetConfig(effort="low"))).search.strategy == "auto"

"""Going on with a record: which one, with how much more, and what is said when something has changed."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reasoner import tasks, trace
from reasoner.cli import main
from reasoner.cli.records import command, find, listing, records, store
from reasoner.cli.resume import elsewhere, found, is_over, with_more
from reasoner.cli.screen import Screen
from reasoner.cli.solve import conclude, continued, recorded, search
from reasoner.completions import Sampling
from reasoner.config import Config, CoreConfig
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.errors import ConfigError, TraceError
from reasoner.ledger import Budget, Cost
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN
from reasoner.trace import Recorder
from reasoner.types import Files, Json, Report, Suite, Task, TestResult, ToolResult

TASK = Task(
    "double",
    "Double a number.",
    {"solution.py": b"def double(x):\n    pass\n"},
    ("solution.py",),
    Suite("asserts", asserts=("assert double(2) == 4",)),
)
RIGHT = "def double(x):\n    return 2 * x\n```"
WRONG = "def double(x):\n    return x * x\n```"


def judged(files: Files) -> tuple[TestResult, ...]:
    return (TestResult("four", "passed" if b"2 * x" in files["solution.py"] else "failed"),)


def ran(name: str, arguments: Json, files: Files) -> ToolResult:
    rows = [{"name": t.name, "outcome": t.outcome, "message": ""} for t in judged(files)]
    return ToolResult(value={"tests": rows, "error": "", "trust": "weak"})


class Says:
    """Wrong until so many were asked for, right from then on, over all processes."""

    def __init__(self, wrong: int) -> None:
        self.wrong = wrong

    def __call__(self, text: str, sampling: Sampling) -> Reply:
        self.wrong -= 1
        return Reply(RIGHT if self.wrong < 0 else WRONG)


def solver(wrong: int = 10**6, **options: object) -> Reasoner:
    core = ScriptedCore(Says(wrong))
    sandbox = ScriptedSandbox(ran, lambda files, suite: Report(judged(files)))
    return Reasoner(core, sandbox, BestOfN(20), width=1, clock=core.clock, **options)  # type: ignore[arg-type]


def suspended(folder: Path, task: Task = TASK, tokens: int = 700) -> Path:
    async def work() -> Path:
        with recorded(folder, task.id) as recorder:
            await search(solver(budget=Budget(tokens)), task, recorder, Screen(True))
            return recorder.path

    return asyncio.run(work())


def test_a_suspended_search_prints_the_command_that_goes_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def work() -> int:
        with recorded(tmp_path, TASK.id) as recorder:
            answer = await search(solver(budget=Budget(700)), TASK, recorder, Screen())
        return conclude(answer, Screen(), None, as_json=False)

    assert asyncio.run(work()) == 3
    [path] = tmp_path.iterdir()
    assert f"go on     reasoner resume {path} --add 700\n" in capfd.readouterr().err


def test_it_goes_on_in_the_same_file_and_counts_its_attempts_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = suspended(tmp_path)
    past = trace.read(path)

    async def work() -> int:
        with continued(path, past) as recorder:
            answer = await search(solver(wrong=0, budget=Budget(5000)), TASK, recorder, Screen(), past)
        return conclude(answer, Screen(), None, as_json=False)

    tried = len(past.tree()) - 1
    assert asyncio.run(work()) == 0
    said = capfd.readouterr().err
    assert f"goes on after {tried} attempts" in said or f"goes on after {tried + 1} attempts" in said
    assert "solved: all visible tests pass; attempt" in said
    assert list(tmp_path.iterdir()) == [path]


def test_a_broken_search_says_how_to_go_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REASONER_HOME", str(tmp_path))

    def broken() -> None:
        with recorded(store(), "t") as recorder:
            recorder(trace.Began(TASK, "c", "00", "bwrap", 0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    [path] = (tmp_path / "runs").iterdir()
    assert f"go on with: reasoner resume {path.stem}\n" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("reason", "flags"),
    [
        ("budget spent: tokens", "--add 500"),
        ("budget spent: wall_s", "--add-time 90"),
        ("budget spent: money", "--add-money 0.25"),
        ("budget spent: tool_cpu_s", "--add-cpu 8"),
        ("", ""),
    ],
)
def test_the_command_adds_to_what_is_spent(reason: str, flags: str) -> None:
    budget = Budget(500, 90.0, tool_cpu_s=7.5, money=0.25)
    assert command(Path("/r/a b.jsonl"), reason, budget) == f"reasoner resume '/r/a b.jsonl' {flags}".rstrip()
    assert command(store() / "x-1.jsonl", reason, budget) == f"reasoner resume x-1 {flags}".rstrip()


def test_records_are_listed_newest_first_with_what_became_of_them(tmp_path: Path) -> None:
    old = suspended(tmp_path)
    os.utime(old, (1, 1))
    new = suspended(tmp_path)
    (tmp_path / "empty.jsonl").touch()
    live = Recorder(tmp_path / "now.jsonl", time.monotonic)
    live(trace.Began(TASK, "c", "00", "bwrap", 0))
    (tmp_path / "odd.jsonl").write_text("what?\n")
    found_here, lines = list(records(tmp_path)), list(listing(tmp_path, 200, time.time()))
    live.close()
    assert {r.id: r.status for r in found_here} == {
        old.stem: "suspended", new.stem: "suspended", "empty": "unreadable", "now": "running", "odd": "unreadable",
    }  # fmt: skip
    assert found_here[-1].path == old and found_here[-1].tokens >= 700
    assert any(line.startswith(old.stem) and "suspended" in line and "days ago" in line for line in lines)
    assert lines[-1] == f"go on with one of them: reasoner resume {new}"


def test_a_record_is_found_by_a_part_of_its_name_that_no_other_has(tmp_path: Path) -> None:
    for name in ("20260101-a-1234", "20260101-b-5678"):
        (tmp_path / f"{name}.jsonl").touch()
    assert find("5678", tmp_path).stem == "20260101-b-5678"
    assert find(str(tmp_path / "20260101-a-1234.jsonl"), tmp_path / "elsewhere").stem == "20260101-a-1234"
    with pytest.raises(ConfigError, match="2 recorded searches have '2026' in their name"):
        find("2026", tmp_path)
    with pytest.raises(ConfigError, match="the nearest is 20260101-b-5678"):
        find("20260101-b-5679", tmp_path)
    with pytest.raises(ConfigError, match="solve a task first"):
        find("x", tmp_path / "nothing")


def test_budget_is_added_to_what_was_spent_where_that_is_more(tmp_path: Path) -> None:
    path = suspended(tmp_path, tokens=700)
    past = trace.read(path)
    spent = past.spent.tokens
    assert spent > 700
    assert with_more(past, Budget(100), 0.0, path) == Budget(spent + 100)
    assert with_more(past, Budget(100, 60.0), 0.0, path).wall_s == past.seconds + 60
    with pytest.raises(ConfigError, match=rf"the budget of tokens is spent \({spent:,}\): add to it, .* --add 700"):
        with_more(past, Budget(), 0.0, path)


def edited(folder: Path, **changes: str) -> Path:
    for name, text in changes.items():
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder / "tasks.jsonl"


LINE = {"task_id": "double", "prompt": "Double.", "files": {"solution.py": "def double(x):\n    pass\n"}}
VISIBLE = {"runner": "asserts", "asserts": ["assert double(2) == 4"]}
HIDDEN = {"runner": "asserts", "asserts": ["assert double(-1) == -2"]}


def source(**changes: object) -> str:
    return json.dumps({**LINE, "tests": VISIBLE, "hidden_tests": HIDDEN, **changes})


def began(task: Task) -> trace.Began:
    shown = replace(task, hidden=None, answer=None)
    line = trace.encode(trace.Began(shown, "c", "00", "bwrap", 0, graded=task.hidden is not None), 0.0)
    event = trace.decode(line).event
    assert isinstance(event, trace.Began)
    return event


def test_hidden_tests_are_read_again_where_the_task_came_from(tmp_path: Path) -> None:
    path = edited(tmp_path, tasks=source())
    task, note = found(began(tasks.load(path, task_id="double")))
    assert note == "" and task.hidden is not None and task.hidden.asserts == ("assert double(-1) == -2",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.unlink(), "the task cannot be read again"),
        (lambda path: path.write_text(source(prompt="Halve.")), "has changed"),
        (lambda path: path.write_text(source(task_id="treble")), "cannot be read again"),
    ],
)
def test_where_the_task_is_gone_or_another_the_recorded_one_goes_on_and_that_is_said(
    tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    path = edited(tmp_path, tasks=source())
    record = began(tasks.load(path))
    change(path)
    task, note = found(record)
    assert said in note and "hidden test" in note
    assert (task.prompt, task.hidden) == ("Double.", None)


def test_what_has_come_to_its_end_is_over(tmp_path: Path) -> None:
    past = trace.read(suspended(tmp_path))
    assert not is_over(past)
    assert not is_over(trace.Trace(past.events[:3]))
    result = past.result
    assert result is not None
    solved = replace(result, status="solved")
    assert is_over(trace.Trace([*past.events[:-1], trace.Finished(solved)]))


@pytest.mark.parametrize("command", ["resume", "view"])
def test_a_path_that_is_no_record_is_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str], command) -> None:
    path = suspended(tmp_path / "run" / "traces")
    (tmp_path / "empty").mkdir()
    path.with_name("trouble.jsonl").write_text("")
    os.utime(path.with_name("trouble.jsonl"), (1, 1))
    for given, said in (
        (tmp_path / "run", f"is a run, and a search is wanted: give one of its traces, such as {path}"),
        (tmp_path / "empty", "is a directory: give the path of a record, or a part of its name"),
        (path.with_name("double.json"), f"does not exist: the nearest there is {path.name}"),
        (tmp_path / "empty" / "x.jsonl", "does not exist: give the path of a record"),
    ):
        assert main([command, str(given), "--traces", str(tmp_path)]) == 2
        assert capsys.readouterr().err == f"error: {given} {said}\n"


def test_without_a_trace_the_command_lists_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", "--traces", str(tmp_path)]) == 0
    assert "no recorded search" in capfd.readouterr().err
    path = suspended(tmp_path)
    assert main(["resume", "--traces", str(tmp_path), "--json"]) == 0
    [record] = json.loads(capfd.readouterr().out)["searches"]
    assert (record["id"], record["task"], record["status"]) == (path.stem, "double", "suspended")


def test_a_search_that_was_begun_from_python_is_refused_in_a_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = suspended(tmp_path)
    assert main(["resume", str(path), "--add", "100"]) == 4
    assert "begun from Python" in capfd.readouterr().err


def test_a_cut_line_and_a_foreign_file_are_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jsonl").write_text('{"event": "beg')
    assert main(["resume", str(tmp_path / "a.jsonl")]) == 4
    assert "the trace does not begin with its task" in capfd.readouterr().err
    newer = trace.encode(trace.Began(TASK, "c", "00", "bwrap", 0, version=3), 0.0)
    (tmp_path / "b.jsonl").write_bytes(newer + b"\n")
    assert main(["resume", str(tmp_path / "b.jsonl")]) == 4
    assert "version 3, this program reads 1 to 2" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["resume", "replay"])
def test_the_help_fits_into_80_columns(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert max(map(len, capfd.readouterr().out.splitlines())) <= 80


def test_a_cost_of_nothing_is_no_reason_to_stop() -> None:
    assert Budget(1).spent_by(Cost()) == ""
    with pytest.raises(ConfigError, match="-1 for tokens"):
        Budget(-1)
    with pytest.raises(ConfigError, match="nan for money"):
        Budget(money=float("nan"))


def test_a_trace_that_is_written_is_not_taken_over(tmp_path: Path) -> None:
    path = suspended(tmp_path)
    past = trace.read(path)
    with continued(path, past), pytest.raises(TraceError, match="another process"), continued(path, past):
        pass


def test_a_search_may_go_on_at_another_server_and_in_another_sandbox() -> None:
    begun = Config(core=CoreConfig(url="http://a/v1", model="m"))
    config = elsewhere(begun, "http://b/v1", "docker")
    assert (config.core.url, config.core.model, config.sandbox.kind) == ("http://b/v1", "m", "docker")
    assert elsewhere(begun, None, None) == begun
    with pytest.raises(ConfigError, match="leave out --url"):
        elsewhere(Config(), "http://b/v1", None)

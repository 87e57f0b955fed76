"""A run as a log of inspect_ai: what that package's own reader makes of it, whatever the texts in it are."""

import asyncio
import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from reasoner.batch import Folder, Job, Record, read_problems, run
from reasoner.batch.records import Tests
from reasoner.batch.timing import Times
from reasoner.cli import main
from reasoner.completions import Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Single
from reasoner.types import ToolResult

pytest.importorskip("inspect_ai")
from inspect_ai.log import EvalLog, read_eval_log, read_eval_log_sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageTool

EVIL = "<script>alert(1)</script>\x00\x1b[2J\u202e\u2028{{ 7 * 7 }} attachment://0 data:image/png;base64,AA== ../../etc"
SETTINGS = {"search": {"strategy": "single", "temperature": 0.5, "seed": 3}, "core": {"url": "http://me:word@here"}}
Logged = Callable[..., EvalLog]


@pytest.fixture(params=["eval", "json"])
def logged(request: pytest.FixtureRequest, tmp_path: Path) -> Logged:
    """The log that the command writes of a run, read back."""

    def write(path: Path) -> EvalLog:
        to = tmp_path / f"log.{request.param}"
        assert main(["report", str(path), "--inspect", str(to)]) == 0
        return read_eval_log(str(to))

    return write


def held(path: Path, *records: Record) -> Path:
    """A run of hand-made records, whose traces and problems are gone."""
    with Folder(path, {"version": "9", "config": SETTINGS, "problems": {"path": "away/gsm.jsonl"}}) as folder:
        folder.confirm({"core": {"name": "tiny", "digest": "d1"}, "sandbox": "bwrap"})
        for record in records:
            folder.append(record)
    return path


def record(task: str = "t", epoch: int = 0, outcome: Any = "solved", **more: Any) -> Record:
    given = {"attempt": 1, "seed": epoch, "core": "tiny", "times": Times(1e9, 2.5), **more}
    return Record(task, epoch, outcome=outcome, **given)


def says(text: str, sampling: Sampling) -> Reply:
    if "What is 1?" in text:
        return Reply(fails="the server is away")
    return Reply(
        "It is as it was.\nAnswer: 42" if "```output" in text else "I compute.\n```python\nprint(6 * 7)\n```\n"
    )


def searched(path: Path, evil: str = "") -> Path:
    """A run of two questions on the scripted core, of which one fails for reasons of ours, twice. No test has a loop of
    its own: inspect_ai would patch asyncio to write from within one."""
    problems = path / "gsm.jsonl"
    lines = [{"task_id": f"q/{n}", "question": f"What is {n}?{evil}", "answer": str(42 * n)} for n in (1, 2)]
    lines[1]["answer"] = "42"
    problems.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    read = read_problems(problems)
    core, sandbox = ScriptedCore(says), ScriptedSandbox({"python": ToolResult(f"42\n{evil}")})
    reasoner = Reasoner(core, sandbox, Single(), clock=core.clock)
    settings = {"version": "9", "config": SETTINGS, "problems": {"path": str(problems), "sha256": read.sha256}}
    with Folder(path / "run", settings) as folder:
        asyncio.run(run(reasoner, [Job(task) for task in read.tasks], folder, pauses=(0.0,)))
    return path / "run"


def test_a_search_is_read_back_with_its_question_messages_tools_and_answer(tmp_path: Path) -> None:
    path = searched(tmp_path)
    assert main(["report", str(path), "--inspect", str(tmp_path / "log.eval")]) == 0
    sample = read_eval_log_sample(str(tmp_path / "log.eval"), "q/2", 1)
    assert (sample.input, sample.target, sample.output.completion) == ("What is 2?", "42", "42")
    asked, wrote, told, answered = sample.messages
    assert asked.role == "user" and "What is 2?" in asked.text
    assert isinstance(wrote, ChatMessageAssistant) and wrote.tool_calls and wrote.text.startswith("I compute.")
    assert wrote.tool_calls[0].function == "python" and wrote.tool_calls[0].arguments == {"code": "print(6 * 7)\n"}
    assert isinstance(told, ChatMessageTool) and told.tool_call_id == wrote.tool_calls[0].id and "42" in told.text
    assert answered.role == "assistant" and answered.text.endswith("42")
    assert sample.scores and sample.scores["solved"].value == "C"


def test_a_task_that_failed_for_reasons_of_ours_is_an_error_with_its_retries_and_in_no_score(
    tmp_path: Path,
) -> None:
    path = searched(tmp_path)
    assert main(["report", str(path), "--inspect", str(tmp_path / "log.json")]) == 0
    log = read_eval_log(str(tmp_path / "log.json"))
    [failed, _] = log.samples or []
    assert failed.error and failed.error.message == "failed: the server is away" and failed.scores is None
    assert [each.message for each in failed.error_retries or []] == ["the server is away"]
    assert failed.input == "What is 1?" and failed.messages
    assert log.results and (log.results.total_samples, log.results.completed_samples) == (2, 1)
    assert log.results.scores[0].metrics["accuracy"].value == 1.0


def test_scores_say_what_the_tests_said_and_unjudged_answers_have_none(tmp_path: Path, logged: Logged) -> None:
    path = held(
        tmp_path / "run",
        record("a", visible=Tests(3, 3), hidden=Tests(5, 5), reason="all visible tests pass"),
        record("b", outcome="suspended", visible=Tests(0, 3, "timeout"), reason="the tokens are spent"),
        record("c", outcome="answered", answer="48"),
        record("d", outcome="unusable", reason="a.py is not UTF-8"),
    )
    a, b, c, d = logged(path).samples or []
    assert a.scores and a.scores["solved"].value == "C"
    assert a.scores["solved"].explanation == (
        "solved: all visible tests pass\nvisible tests: 3 of 3 passed\nhidden tests: 5 of 5 passed"
    )
    assert b.scores and b.scores["solved"].value == "I"
    assert b.scores["solved"].explanation == "suspended: the tokens are spent\nvisible tests: 0 of 3 passed, timeout"
    assert c.scores is None and c.error is None and c.output.completion == "48"
    assert d.scores is None and d.error and d.error.message == "unusable: a.py is not UTF-8"


def test_accuracy_is_the_mean_over_tasks_and_its_error_counts_tasks_not_epochs(tmp_path: Path, logged: Logged) -> None:
    solved = {"a": (1, 1), "b": (1, 0), "c": (0, 0)}
    log = logged(
        held(
            tmp_path / "run",
            *(record(t, e, "solved" if each else "unsolved") for t, of in solved.items() for e, each in enumerate(of)),
        )
    )
    assert log.results and log.reductions
    [score] = log.results.scores
    assert score.metrics["accuracy"].value == 0.5
    assert score.metrics["stderr"].value == pytest.approx((0.25 / 3) ** 0.5)
    assert (score.scored_samples, score.unscored_samples, log.eval.config.epochs) == (6, 0, 2)
    assert [(each.sample_id, each.value) for each in log.reductions[0].samples] == [("a", 1), ("b", 0.5), ("c", 0)]


def test_of_a_resumed_run_every_epoch_is_one_sample_and_the_last_word_counts(tmp_path: Path, logged: Logged) -> None:
    path = held(tmp_path / "run", record("t", 0), record("t", 1, "failed", reason="lost"))
    held(path, record("t", 1, "failed", attempt=2, reason="lost again"), record("t", 1, attempt=3), record("t", 2))
    samples = logged(path).samples or []
    assert [(each.id, each.epoch, each.error) for each in samples] == [("t", 1, None), ("t", 2, None), ("t", 3, None)]
    assert [each.message for each in samples[1].error_retries or []] == ["lost", "lost again"]
    assert samples[0].error_retries is None and samples[1].metadata["attempt"] == 3


def test_usage_and_time_are_what_was_spent(tmp_path: Path, logged: Logged) -> None:
    spent = {"prefilled": 100, "cached": 1000, "decoded": 20, "verifier": 3}
    log = logged(held(tmp_path / "run", record("a", spent=spent), record("b", spent=spent)))
    for used, times in (((log.samples or [])[0].model_usage["tiny"], 1), (log.stats.model_usage["tiny"], 2)):
        assert (used.input_tokens, used.input_tokens_cache_read) == (100 * times, 1000 * times)
        assert (used.output_tokens, used.total_tokens) == (20 * times, 1123 * times)
    [first, _] = log.samples or []
    assert first.total_time == 2.5 and first.started_at == "2001-09-09T01:46:40+00:00"
    assert log.stats.started_at == first.started_at and log.stats.completed_at == first.completed_at


def test_the_log_says_which_model_problems_settings_and_versions_and_keeps_the_servers_address_back(
    tmp_path: Path, logged: Logged
) -> None:
    spec = logged(held(tmp_path / "run", record())).eval
    assert (spec.task, spec.dataset.name, spec.dataset.location) == ("gsm", "gsm", "away/gsm.jsonl")
    assert (spec.model, spec.model_args, spec.dataset.sample_ids) == ("tiny", {"digest": "d1"}, ["t"])
    assert (spec.model_generate_config.temperature, spec.model_generate_config.seed) == (0.5, 3)
    assert spec.solver == "single" and spec.solver_args and spec.solver_args["search.temperature"] == 0.5
    assert spec.packages == {"reasoner": "9", "inspect_ai": version("inspect_ai")}
    assert "me:word" not in spec.model_dump_json()


def test_without_trace_and_problems_the_solution_is_still_there(tmp_path: Path, logged: Logged) -> None:
    files = {"a.py": "x = 1", "b.bin": {"base64": "/w=="}}
    log = logged(held(tmp_path / "run", record("one", files={"a.py": "x = 1"}), record("two", files=files)))
    one, two = log.samples or []
    assert (one.input, one.target, one.output.completion) == ("", "", "x = 1")
    assert [each.role for each in one.messages] == ["user", "assistant"]
    assert two.output.completion == "# a.py\nx = 1\n# b.bin\n(not text)"


@pytest.mark.parametrize("suffix", ["eval", "json"])
def test_hostile_text_is_read_back_as_it_was(tmp_path: Path, suffix: str) -> None:
    path = searched(tmp_path, EVIL)
    with (path / "results.jsonl").open("r+", encoding="utf-8") as file:
        lines = [{**json.loads(line), "reason": EVIL, "answer": EVIL} for line in file]
        twins = [{**lines[-1], "task": f"t\x00{twin}{EVIL}"} for twin in "ab"]
        file.seek(0)
        file.writelines(json.dumps(line) + "\n" for line in [*lines, *twins, {**lines[-1], "task": "x" * 70_000}])
    to = tmp_path / f"log\udcff.{suffix}"
    assert main(["report", str(path), "--inspect", str(to)]) == 0
    samples = {each.metadata["task"]: each for each in read_eval_log(str(to)).samples or []}
    assert set(samples) == {"q/1", "q/2", *(twin["task"] for twin in twins), "x" * 70_000}
    asked = samples["q/2"]
    assert asked.input == f"What is 2?{EVIL}" and EVIL in asked.messages[0].text and EVIL in asked.messages[2].text
    assert asked.output.completion == EVIL and asked.scores and EVIL in (asked.scores["solved"].explanation or "")
    assert samples["q/1"].error and samples["q/1"].error.message == f"failed: {EVIL}"
    assert all(str(each.id).isprintable() and len(str(each.id)) < 300 for each in samples.values())


def test_lone_surrogates_of_a_name_do_not_stop_a_log(tmp_path: Path, logged: Logged) -> None:
    log = logged(held(tmp_path / "run\udcff", record()))
    assert log.samples and log.samples[0].id == "t"


def test_a_run_in_which_nothing_was_done_is_a_log_without_samples(tmp_path: Path, logged: Logged) -> None:
    log = logged(held(tmp_path / "run"))
    assert not log.samples and log.results and log.results.scores == [] and log.results.total_samples == 0


def test_one_log_is_the_same_twice(tmp_path: Path) -> None:
    path = held(tmp_path / "run", record("a"), record("b", outcome="failed"))
    for name in ("one.json", "two.json"):
        assert main(["report", str(path), "--inspect", str(tmp_path / name)]) == 0
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_what_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(held(tmp_path / "run", record()))
    assert main(["report", path, "--inspect", "log.txt"]) == 2
    assert capsys.readouterr().err == "error: --inspect log.txt names no format: let it end in .eval or .json\n"
    assert main(["report", path, path, "--inspect", "log.eval"]) == 2
    assert capsys.readouterr().err == "error: --inspect takes one run, and 2 are given: name one DIR\n"
    (tmp_path / "file").write_text("")
    for suffix in ("eval", "json"):
        assert main(["report", path, "--inspect", str(tmp_path / "file" / f"log.{suffix}")]) == 4
        assert capsys.readouterr().err.startswith(f"error: cannot write {tmp_path}/file/log.{suffix} (")


def test_without_the_extra_the_sentence_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("inspect_ai")]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("evallog", "evalsamples", "messages"):
        monkeypatch.delitem(sys.modules, f"reasoner.report.{name}", raising=False)
    assert main(["report", str(held(tmp_path / "run", record())), "--inspect", str(tmp_path / "log.eval")]) == 2
    assert "pip install 'reasoner[inspect]', or leave --inspect out" in capsys.readouterr().err
    assert not (tmp_path / "log.eval").exists()

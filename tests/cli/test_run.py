"""`reasoner run` as it is typed: what is refused before anything is opened, and a real run that is killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from reasoner import models, trace
from reasoner.batch import Folder, Record, Summary, held_settings, read_problems, read_records
from reasoner.batch.records import Outcome
from reasoner.cli import main
from reasoner.cli.run import told
from reasoner.config import Config, CoreConfig, SandboxConfig
from reasoner.errors import ModelError

MODEL = "smollm2-135m-instruct"
GONE = Config(core=CoreConfig(model="no-such-model"), sandbox=SandboxConfig("bubblewrap"))
TOLD = ("--model", "no-such-model", "--sandbox", "bubblewrap")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    lines = [json.dumps({"question": f"What is {n} plus {n}?", "answer": str(2 * n)}) for n in range(6)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["run", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("error: ") == 1
    return err


def test_what_cannot_be_run_is_said_before_anything_is_opened(questions: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert "does not exist" in refused(capsys, tmp_path / "none.jsonl", "-o", out)
    assert "--filter '(' is no regular expression" in refused(capsys, questions, "-o", out, "--filter", "(")
    assert "ids are such as 1, 2, 3" in refused(capsys, questions, "-o", out, "--filter", "x")
    assert "did you mean best_of_n?" in refused(capsys, questions, "-o", out, "--strategy", "best_of_m")
    assert "is never spent" in refused(capsys, questions, "-o", out, "--budget-money", 1)
    warm = questions.with_name("warm.jsonl")
    warm.write_text('{"question": "How warm is it?", "tools": ["weather"]}\n', encoding="utf-8")
    assert "the task 1: there is no tool 'weather'" in refused(capsys, warm, "-o", out)
    assert not out.exists()
    assert "is a file" in refused(capsys, questions, "-o", questions)


def test_no_flag_is_offered_that_is_always_refused(questions: Path, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "--traces" not in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["run", str(questions), "-o", str(tmp_path / "out"), "--traces", "x"])
    assert ended.value.code == 2


def test_lines_that_were_to_be_left_out_are_no_failure_and_a_task_that_could_not_be_used_is(
    questions: Path, tmp_path: Path, capsys
) -> None:
    questions.write_text(questions.read_text(encoding="utf-8") + "{no\n", encoding="utf-8")
    begun(tmp_path / "out", questions, *["solved"] * 6)
    begun(tmp_path / "bad", questions, *["solved"] * 5, "unusable")
    for out, code in ((tmp_path / "out", 0), (tmp_path / "bad", 2)):
        assert main(["run", str(questions), "-o", str(out), "--skip-bad", "--json", *TOLD]) == code
        assert len(json.loads(capsys.readouterr().out)["bad"]) == 1


def test_a_run_refuses_lines_that_cannot_be_used_unless_they_are_to_be_left_out(
    questions: Path, tmp_path: Path, capsys
) -> None:
    questions.write_text(questions.read_text(encoding="utf-8") + "{no\n", encoding="utf-8")
    said = refused(capsys, questions, "-o", tmp_path / "out")
    assert "line 7: not JSON" in said and "leave such tasks out with --skip-bad" in said
    assert not (tmp_path / "out").exists()


def test_another_configuration_is_refused_by_the_name_of_its_key(questions: Path, tmp_path: Path, capsys) -> None:
    begun(tmp_path / "out", questions, config=Config())
    assert "config.search.attempts = 16, this one has 3" in refused(
        capsys, questions, "-o", tmp_path / "out", "--attempts", 3
    )
    questions.write_text(questions.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert "problems.sha256 = " in refused(capsys, questions, "-o", tmp_path / "out")


def test_what_is_left_out_is_named_whole_by_its_place_within_the_problems(tmp_path: Path, capsys) -> None:
    long = tmp_path / ("a" * 200)
    for name, text in (
        ("good/TASK.md", "f returns 1."),
        ("good/f.py", "def f():\n    pass\n"),
        ("good/test_f.py", "from f import f\n\n\ndef test():\n    assert f() == 1\n"),
        ("no-tests/TASK.md", "Do it."),
        ("q.jsonl", '{"question": "What is 1?"}\n{"question": 5}\n'),
    ):
        (long / name).parent.mkdir(parents=True, exist_ok=True)
        (long / name).write_text(text, encoding="utf-8")
    for problems, said in (
        ("q.jsonl", "line 2: the field question is not a text"),
        ("", "no tests found in no-tests:"),
    ):
        main(["run", str(long / problems), "-o", str(tmp_path / "out"), "--skip-bad", *TOLD])
        assert capsys.readouterr().err.startswith(f"left out: {said}")


def begun(path: Path, questions: Path, *outcomes: Outcome, config: Config = GONE) -> None:
    """What an earlier run left."""
    with Folder(path, held_settings(config.resolved(), read_problems(questions))) as folder:
        folder.confirm({})
        for number, outcome in enumerate(outcomes, 1):
            folder.append(Record(str(number), 0, 1, outcome, 0, spent={"decoded": 10, "prefilled": 5}))


@pytest.mark.skipif(not shutil.which("bwrap"), reason="there is no bubblewrap here")
def test_ctrl_c_while_the_core_opens_leaves_a_directory_that_the_same_command_takes(
    questions: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "reasoner", "run", str(questions), "-o", str(tmp_path / "out")]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command += ["--url", f"http://127.0.0.1:{silent.getsockname()[1]}", "--sandbox", "bubblewrap"]
        for more in ([], ["--force-new"]):
            with subprocess.Popen([*command, *more], stderr=subprocess.PIPE, text=True) as process:
                silent.settimeout(60)
                connection, _ = silent.accept()
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=60)
                connection.close()
            assert process.returncode == 130 and "the same command goes on from here" in said, said
            assert not (tmp_path / "out" / "summary.json").exists()


def test_a_run_that_ends_by_a_failure_says_and_writes_what_it_came_to(questions: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    begun(out, questions, "solved", "unsolved", "solved")
    command = ["run", str(questions), "-o", str(out), *TOLD]
    assert main([*command, "--json"]) == 4
    said = capsys.readouterr()
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["done"], summary["asked"], summary["solved"]) == (3, 6, 2)
    assert {**summary, "directory": str(out)} == json.loads(said.out)
    assert "stopped   the same command goes on from here" in said.err and said.err.count("error: ") == 1
    assert main(command) == 4
    assert capsys.readouterr().out == "solved 2 of 3\n"


def test_a_run_that_could_not_begin_says_why_and_nothing_else(questions: Path, tmp_path: Path, capsys) -> None:
    command = ["run", str(questions), "-o", str(tmp_path / "out"), *TOLD]
    assert main([*command, "--quiet"]) == 4
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert main([*command, "--quiet", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["done"] == 0


def test_a_run_of_which_all_is_done_opens_nothing(questions: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    begun(out, questions, *["unsolved", "solved"] * 3, config=Config())
    assert main(["run", str(questions), "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert said.out == "solved 3 of 6\n" and "6 of 6 are done already" in said.err
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["solved"], summary["graded"], summary["tokens"], summary["decoded"]) == (3, 6, 90, 60)
    assert main(["run", str(questions), "-o", str(out), "--json", "--quiet", "--limit", "2"]) == 0
    said = capsys.readouterr()
    assert (json.loads(said.out)["asked"], json.loads(said.out)["solved"]) == (2, 1) and said.err == ""


def test_a_run_whose_budget_is_spent_opens_nothing_and_says_how_it_goes_on(
    questions: Path, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "out"
    begun(out, questions, "solved", "unsolved", "solved")
    command = ["run", str(questions), "-o", str(out), *TOLD]
    assert main([*command, "--run-tokens", "45"]) == 3, "three records of 15 tokens"
    said = capsys.readouterr()
    assert said.out == "solved 2 of 3\n" and "the same command goes on with a larger --run-tokens" in said.err
    assert main([*command, "--run-tokens", "46", "--limit", "3"]) == 0, "nothing is left"
    assert main([*command, "--run-tokens", "46"]) == 4, "it would open the model"


def test_the_last_lines_say_what_is_left_to_do() -> None:
    summary = Summary(10, 7, 4, 7, {"solved": 4, "unsolved": 3, "failed": 2}, 1000, 800, 5, 3.0, 0.0)
    lines = list(told(summary, Path("runs/a"), 12.0))
    assert lines[0] == "done      7 of 10: 2 failed, 4 solved, 3 unsolved"
    assert "failed    2: the same command tries them again" in lines


@pytest.mark.model
@pytest.mark.slow
def test_a_real_run_goes_on_after_kill_and_after_ctrl_c(questions: Path, tmp_path: Path) -> None:
    try:
        models.path(MODEL)
    except ModelError as error:
        pytest.skip(str(error))
    out = tmp_path / "out"
    flags = ["--model", MODEL, "--strategy", "single", "--sandbox", "bubblewrap", "--workers", "2", "--limit", "4"]
    command = [sys.executable, "-m", "reasoner", "run", str(questions), "-o", str(out), *flags]
    quick = {**os.environ, "REASONER_SEARCH_MAX_TOKENS": "24"}

    def until(records: int, number: int) -> int:
        with subprocess.Popen(command, env=quick, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None:
                results = out / "results.jsonl"
                if results.exists() and results.read_bytes().count(b"\n") >= records:
                    os.kill(process.pid, number)
                    break
                time.sleep(0.02)
            process.communicate(timeout=120)
        return process.returncode

    assert until(1, signal.SIGKILL) == -signal.SIGKILL
    assert until(2, signal.SIGINT) in (130, 0)
    done = subprocess.run(command, env=quick, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    records = list(read_records(out / "results.jsonl"))
    assert Counter(r.task for r in records) == Counter(map(str, range(1, 5)))
    assert all(trace.read(out / r.trace).began.task.id == r.task for r in records)
    assert json.loads((out / "summary.json").read_text())["done"] == 4

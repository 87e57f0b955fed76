"""The command line from outside: what it prints where, how it ends, and how fast it answers."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reasoner.cli import flags, main
from reasoner.cli.flags import count, seconds
from reasoner.config import EFFORTS

UNITTEST = (
    b"import unittest\nfrom f import f\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(), 1)\n"
)


def reasoner(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reasoner", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "TASK.md").write_text("f returns 1.", encoding="utf-8")
    (folder / "f.py").write_text("def f():\n    pass\n", encoding="utf-8")
    (folder / "test_f.py").write_bytes(UNITTEST)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["solve"],
        ["ask"],
        ["run"],
        ["report"],
        ["models"],
        ["models", "list"],
        ["models", "pull"],
        ["models", "path"],
        ["sandbox"],
        ["sandbox", "build"],
        ["sandbox", "probe"],
        ["sandbox", "prune"],
        ["doctor"],
    ],
)
def test_every_command_explains_itself_within_80_columns(arguments: list[str], monkeypatch, capsys) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "usage: reasoner" in out


def test_help_answers_within_ten_times_an_empty_program() -> None:
    def median(*arguments: str) -> float:
        times = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    assert median("-m", "reasoner", "--help") <= 10 * median("-c", "pass")


def test_what_help_lists_is_loaded_when_it_is_shown() -> None:
    assert tuple(EFFORTS) == flags.EFFORTS
    code = (
        "import sys; from reasoner.cli.parser import parse; parse(['solve', 'x']);"
        "assert 'reasoner.search' not in sys.modules and 'reasoner.config' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, contextlib, io\nfrom reasoner.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main(['solve', '--help'])\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "rich", "httpx", "docker", "numpy", "msgspec", "asyncio"} & set(loaded)


@pytest.mark.parametrize(
    ("arguments", "say"),
    [
        ([], "COMMAND"),
        (["slove", "x"], "invalid choice: 'slove'"),
        (["solve"], "PATH"),
        (["solve", "x", "--tokens", "many"], "'many' is no number of tokens"),
        (["solve", "x", "--time", "-3"], "--time"),
        (["solve", "x", "--token", "3"], "unrecognized arguments: --token"),
        (["solve", "x", "--width", "0"], "search.width to 0: it must be at least 1"),
        (["solve", "task", "--strategy", "rewnid"], "did you mean rewind?"),
        (["solve", "nowhere"], "nowhere does not exist"),
        (["solve", "x", "--config", "absent.toml"], "--config absent.toml is no file"),
        (["solve", "x.jsonl", "--write"], "--write"),
        (["solve", "x", "--remote"], "OPENAI_BASE_URL"),
    ],
)
@pytest.mark.usefixtures("task")
def test_misuse_is_one_sentence_and_exit_code_2(
    arguments: list[str], say: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("REASONER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    (tmp_path / "x").mkdir()
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert say in err
    assert len(err.splitlines()) == 1


def test_an_unknown_model_is_an_error_that_says_the_nearest(task: Path, tmp_path: Path) -> None:
    done = reasoner("solve", str(task), "--model", "qwen2.5-codr-0.5b", "--traces", str(tmp_path / "runs"))
    assert done.returncode == 4
    assert "error: no model is called 'qwen2.5-codr-0.5b'" in done.stderr
    assert "did you mean qwen2.5-coder-0.5b?" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_model_that_is_not_here_is_said_without_fetching(tmp_path: Path) -> None:
    done = reasoner("models", "path", "0.5b", REASONER_HOME=str(tmp_path))
    assert done.returncode == 4
    assert "reasoner models pull qwen2.5-coder-0.5b-instruct" in done.stderr


def test_models_are_listed_for_people_and_for_scripts(tmp_path: Path) -> None:
    people = reasoner("models", "list", REASONER_HOME=str(tmp_path))
    assert "* qwen2.5-coder-0.5b-instruct" in people.stdout
    assert max(map(len, people.stdout.splitlines())) <= 80
    scripts = json.loads(reasoner("models", "list", "--json", REASONER_HOME=str(tmp_path)).stdout)
    assert scripts["models"][0]["name"] == "qwen2.5-coder-0.5b-instruct"
    assert scripts["models"][0]["state"] == "absent"


def test_a_traceback_is_shown_to_whoever_asks_for_it(tmp_path: Path) -> None:
    done = reasoner("solve", str(tmp_path / "nowhere"), REASONER_DEBUG="1")
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_an_error_that_quotes_something_hostile_moves_no_cursor(tmp_path: Path) -> None:
    done = reasoner("solve", str(tmp_path / "\x1b[2Jnowhere"))
    assert done.returncode == 2
    assert "\x1b" not in done.stderr


def test_a_reader_that_leaves_early_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "reasoner", "models", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_the_version_is_that_of_the_package() -> None:
    assert reasoner("--version").stdout == "reasoner 0.1.0\n"


@pytest.mark.parametrize(
    ("text", "number"), [("20000", 20_000), ("20_000", 20_000), ("20k", 20_000), ("1.5M", 1_500_000), ("2K", 2000)]
)
def test_tokens_are_counted_as_people_write_them(text: str, number: int) -> None:
    assert count(text) == number


@pytest.mark.parametrize(("text", "number"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400)])
def test_times_are_read_as_people_write_them(text: str, number: float) -> None:
    assert seconds(text) == number


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--allow-host", "docs.python.org", "--allow-host", "127.0.0.1"), "'127.0.0.1' cannot be allowed"),
        (("--tools", "/nowhere"), "there is no tool in /nowhere"),
    ],
)
def test_hosts_and_tools_that_cannot_be_are_misuse(task: Path, flags: tuple[str, ...], said: str) -> None:
    ended = reasoner("solve", str(task), "--model", "/nowhere", *flags)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: {said}")
    assert ended.stderr.count("\n") == 1

"""Solutions as evalplus reads them: all that it wants, and nobody's file taken away by a refusal."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from reasoner.batch import Folder, Record
from reasoner.cli import main


def held(path: Path, *records: Record) -> Path:
    with Folder(path, {}) as folder:
        folder.confirm({})
        for each in records:
            folder.append(each)
    return path


def code(task: str, outcome: Any, epoch: int = 0, text: str = "") -> Record:
    return Record(task, epoch, 1, outcome, 0, files={"solution.py": text} if text else {})


def question(task: str = "q") -> Record:
    return Record(task, 0, 1, "answered", 0, answer="48")


def test_every_task_and_epoch_has_one_line_whatever_became_of_it(tmp_path: Path, capsys) -> None:
    run = held(
        tmp_path / "run",
        code("a", "failed"),
        code("b", "unusable"),
        code("c", "failed"),
        code("c", "solved", text="right"),
        code("c", "unsolved", 1, "wrong"),
        code("a", "failed"),
    )
    assert main(["report", str(run), "--samples", str(tmp_path / "s.jsonl")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert sorted((line["task_id"], line["solution"]) for line in lines) == [
        ("a", ""), ("b", ""), ("c", "right"), ("c", "wrong")]  # fmt: skip
    assert "samples 4 in" in capsys.readouterr().err


@pytest.mark.parametrize("broken", [False, True])
def test_a_refusal_leaves_the_file_and_its_folder_as_they_were(tmp_path: Path, capsys, broken: bool) -> None:
    run = held(tmp_path / "run", code("a", "solved", text="x = 1") if broken else question())
    if broken:
        (run / "results.jsonl").write_bytes((run / "results.jsonl").read_bytes() + b"{}\n")
    to = tmp_path / "precious" / "mine.jsonl"
    to.parent.mkdir()
    to.write_text("precious")
    assert main(["report", str(run), "--samples", str(to)]) == (4 if broken else 2)
    assert [p.read_text() for p in to.parent.iterdir()] == ["precious"]


@pytest.mark.parametrize("flag", ["--samples", "--html", "--inspect"])
def test_what_is_written_takes_the_place_of_a_file_with_its_rights_and_behind_its_link(tmp_path: Path, flag) -> None:
    pytest.importorskip({"--html": "matplotlib", "--inspect": "inspect_ai"}.get(flag, "json"))
    run = held(tmp_path / "run", code("a", "solved", text="x = 1"))
    to, link = tmp_path / "to" / "it.eval", tmp_path / "link.eval"
    to.parent.mkdir()
    to.write_text("old")
    to.chmod(0o600)
    link.symlink_to(to)
    assert main(["report", str(run), flag, str(link)]) == 0
    assert link.is_symlink() and to.read_bytes() != b"old" and stat.S_IMODE(to.stat().st_mode) == 0o600
    assert list(to.parent.iterdir()) == [to]


@pytest.mark.parametrize("flag", ["--samples", "--html"])
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys, flag: str) -> None:
    pytest.importorskip({"--html": "matplotlib"}.get(flag, "json"))
    run = held(tmp_path / "run", code("a", "solved", text="x = 1"))
    assert main(["report", str(run), flag, str(tmp_path / "none" / "it.eval")]) == 4
    assert f"(No such file or directory): choose another {flag}\n" in capsys.readouterr().err


def test_samples_go_to_a_pipe_too(tmp_path: Path, capfd) -> None:
    run = held(tmp_path / "run", code("a", "solved", text="x = 1"))
    assert main(["report", str(run), "--json", "--samples", "/dev/stdout"]) == 0
    assert '{"task_id": "a", "solution": "x = 1"}' in capfd.readouterr().out

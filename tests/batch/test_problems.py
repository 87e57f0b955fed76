"""Which tasks a run is about, in which order."""

import json
from pathlib import Path

import pytest

from reasoner.batch import Selection, read_problems
from reasoner.errors import ConfigError, TaskError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "q.jsonl"
    lines = [json.dumps({"task_id": f"{'ab'[n % 2]}/{n}", "question": f"{n}?"}) for n in range(10)]
    path.write_text("\n".join([*lines, "{broken"]) + "\n", encoding="utf-8")
    return path


def ids(path: Path, **selection: object) -> list[str]:
    return [task.id for task in read_problems(path).chosen(Selection(**selection))]  # type: ignore[arg-type]


def test_a_pattern_a_shuffle_and_a_limit_choose_in_this_order(path: Path) -> None:
    assert ids(path, limit=3) == ["a/0", "b/1", "a/2"]
    assert ids(path, pattern="^b/", limit=2) == ["b/1", "b/3"]
    assert ids(path, shuffle=1) == ids(path, shuffle=1) != ids(path, shuffle=2)
    assert set(ids(path, shuffle=1, pattern="a/", limit=3)) < set(ids(path, pattern="a/"))


def test_a_line_that_cannot_be_used_is_said_with_its_number_or_refused(path: Path) -> None:
    problems = read_problems(path)
    assert len(problems.tasks) == 10 and "line 11: not JSON" in problems.bad[0]
    with pytest.raises(TaskError, match="line 11: not JSON"):
        read_problems(path, strict=True)


def test_a_file_with_nothing_that_can_be_used_says_why(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(TaskError, match=r"holds no task that can be used: .*line 1: the field task_id is missing"):
        read_problems(path)


def test_a_pattern_that_no_id_has_names_some(path: Path) -> None:
    with pytest.raises(ConfigError, match="ids are such as a/0, b/1, a/2"):
        ids(path, pattern="zzz")


def test_a_changed_directory_has_another_digest(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "TASK.md").write_text("f returns 1.")
    (tmp_path / "t" / "f.py").write_text("def f(): ...\n")
    (tmp_path / "t" / "f_test.py").write_text("from f import f\ndef test_f(): assert f() == 1\n")
    before = read_problems(tmp_path).sha256
    assert read_problems(tmp_path).sha256 == before
    (tmp_path / "t" / "f_test.py").write_text("from f import f\ndef test_f(): assert f() == 2\n")
    assert read_problems(tmp_path).sha256 != before

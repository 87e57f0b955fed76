"""Tasks that come with a solution."""

import json
from pathlib import Path
from typing import Any

import pytest

from reasoner.errors import TaskError
from reasoner.tasks.worked import read_worked

QUESTION = {"task_id": "q", "question": "What is 2 times 3?", "answer": "6"}
MBPP = {"task_id": 1, "text": "Double a number.", "code": "never read", "test_list": ["assert double(2) == 4"]}


def file(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_solution_stands_beside_any_task(tmp_path: Path) -> None:
    code = "def double(x):\n    return 2 * x\n"
    path = file(tmp_path / "w.jsonl", {**QUESTION, "solution": "print(2 * 3)"}, {**MBPP, "solution": code})
    (question, first), (coding, second) = read_worked(path, "first")
    assert (question.id, question.answer, first) == ("q", "6", "print(2 * 3)")
    assert (coding.id, second) == ("1", code.rstrip("\n"))
    assert coding.hidden and "never read" not in repr(coding)


@pytest.mark.parametrize(
    ("solution", "why"),
    [
        ({}, "the field solution is missing"),
        ({"solution": " \n"}, "the solution is empty"),
        ({"solution": ["print(6)"]}, "the field solution is not a text"),
    ],
)
def test_a_line_without_a_solution_is_named(solution: dict[str, Any], why: str, tmp_path: Path) -> None:
    path = file(tmp_path / "w.jsonl", {**QUESTION, "solution": "print(6)"}, {**QUESTION, "task_id": "r", **solution})
    with pytest.raises(TaskError, match=f"line 2: {why}"):
        list(read_worked(path))

import json
from pathlib import Path

import pytest

from reasoner.errors import TaskError
from reasoner.tasks import read_jsonl


def written(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_line_of_gsm8k_is_a_question_known_by_its_number(tmp_path: Path) -> None:
    (task,) = read_jsonl(
        written(tmp_path / "q.jsonl", {"question": "How many?", "answer": "1 + 1 = <<1+1=2>>2\n#### 2"})
    )
    assert (task.id, task.prompt, task.answer, task.is_question) == ("1", "How many?", "2", True)


def test_a_question_may_have_an_id_and_files_and_no_answer(tmp_path: Path) -> None:
    record = {"task_id": "q", "question": "How many rows?", "files": {"t.csv": "a\n"}}
    (task,) = read_jsonl(written(tmp_path / "q.jsonl", record))
    assert (task.id, task.answer, task.files) == ("q", None, {"t.csv": b"a\n"})


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"question": " "}, "question is empty"),
        ({"question": "x", "answer": ""}, "answer is empty"),
        ({"question": "x", "anwser": "2"}, "unknown field anwser"),
        ({"question": 3}, "question is not a text"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, record: dict[str, object], problem: str) -> None:
    with pytest.raises(TaskError, match=f"line 1: .*{problem}"):
        list(read_jsonl(written(tmp_path / "q.jsonl", record)))

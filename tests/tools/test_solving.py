"""Tasks as they are read, solved by hand: reader, program and report fit together."""

import json
from pathlib import Path

import pytest

from reasoner.tasks import load

TASKS = Path(__file__).parents[1] / "fixtures" / "tasks"
SOLUTIONS = {
    "vowel-count": """
def count(word):
    if not word.isalpha():
        raise ValueError("not a word")
    return sum(letter in "aeiou" for letter in word.lower())
""",
    "stack": """
from errors import Empty, Full

class Stack:
    def __init__(self, size):
        self.size, self.items = size, []
    def push(self, item):
        if len(self.items) == self.size:
            raise Full
        self.items.append(item)
    def pop(self):
        if not self.items:
            raise Empty
        return self.items.pop()
""",
    "temperature": (TASKS / "temperature" / ".meta" / "example.py").read_text(),
}
RECORDS = [
    {"task_id": "mbpp", "text": "Double.", "code": "", "test_list": ["assert double(2) == 4", "assert double(0) == 0"]},
    {
        "task_id": "humaneval",
        "prompt": "def double(x):\n    ...\n",
        "entry_point": "double",
        "test": "def check(candidate):\n    for i in range(3):\n        assert candidate(i) == i + i\n",
    },
    {
        "task_id": "own",
        "prompt": "Double.",
        "hidden_tests": {"runner": "asserts", "asserts": ["assert double(3) == 6"]},
    },
]


@pytest.mark.parametrize("name", SOLUTIONS)
def test_a_directory_is_unsolved_as_it_comes_and_solved_by_a_right_solution(run_suite, name):
    task = load(TASKS / name)
    assert not run_suite(dict(task.files), task.visible).report.solved
    ran = run_suite({**task.files, task.editable[0]: SOLUTIONS[name]}, task.visible)
    assert ran.report.solved, ran.report


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["task_id"])
def test_a_record_is_solved_by_a_right_solution_and_by_no_other(run_suite, tmp_path, record):
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(record))
    task = load(path)
    suite = task.visible or task.hidden
    for body, solved in (("return x + x", True), ("return 4", False)):
        ran = run_suite({**task.files, task.editable[0]: f"def double(x):\n    {body}\n"}, suite)
        assert ran.report.solved is solved, ran.report

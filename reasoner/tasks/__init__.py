"""Reads tasks from outside: a directory with tests, or a JSONL file of records. Executes nothing of what it reads.

load          one task, from a directory or a record of a file
read_jsonl    all tasks of a file
"""

import difflib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from reasoner.errors import TaskError
from reasoner.tasks.directory import read_directory
from reasoner.tasks.jsonl import Line, read_lines
from reasoner.tasks.records import Visible, task_of
from reasoner.types import Task

__all__ = ["Visible", "load", "read_jsonl"]


def load(
    path: Path,
    *,
    task_id: str | None = None,
    prompt: str | None = None,
    tests: str | None = None,
    visible: Visible = "all",
) -> Task:
    """One task.

    `path` is a directory, or a JSONL file (also `.gz`) of which `task_id` chooses a record; a file with one record
    needs none. `prompt` replaces the task's text. `tests`, for a directory, is a command such as
    `pytest -q tests/test_x.py` or `python -m unittest foo_test`. `visible`, for a file: see `read_jsonl`.

    Raises:
        TaskError: there is no task, or it cannot be used; says where and what to do.
    """
    if not path.exists():
        raise TaskError(f"{path} does not exist: give a directory with a task, or a JSONL file")
    if prompt is not None and not prompt.strip():
        raise TaskError("the task's text is empty: say what the code should do")
    if path.is_dir():
        task = read_directory(path, prompt, tests)
        return replace(task, id=task_id) if task_id else task
    if tests is not None:
        raise TaskError(f"the records of {path} bring their own tests: leave the test command out")
    task = task_of(_chosen(path, task_id), visible)
    return replace(task, prompt=prompt) if prompt else task


def read_jsonl(path: Path, visible: Visible = "all") -> Iterator[Task]:
    """Every record of a JSONL file (also `.gz`), in the file's order: HumanEval, MBPP or our own schema.

    `visible` says which tests may guide a search: "all" of them, or the "first" (for HumanEval the examples in the
    docstring) while the whole suite is hidden and only grades.

    Raises:
        TaskError: a line is not JSON, a field is missing or wrong, two records share an id; says the line.
    """
    for line in read_lines(path):
        yield task_of(line, visible)


def _chosen(path: Path, task_id: str | None) -> Line:
    lines = {line.id: line for line in read_lines(path)}
    if not lines:
        raise TaskError(f"{path} holds no task")
    if task_id is None:
        if len(lines) > 1:
            raise TaskError(f"{path} holds {len(lines)} tasks: choose one by its task_id, such as {next(iter(lines))}")
        return next(iter(lines.values()))
    if task_id not in lines:
        near = difflib.get_close_matches(task_id, lines, n=1, cutoff=0.0)
        raise TaskError(f"{path} holds no task {task_id!r}: the nearest is {near[0]!r}")
    return lines[task_id]

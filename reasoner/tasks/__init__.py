"""Reads tasks from outside: a directory with tests, or a JSONL file of records. Executes nothing of what it reads.

load          one task, from a directory or a record of a file
again         a task once more, from where it was read before
read_jsonl    all tasks of a file
read_all      all tasks of a file, or of a directory that holds directories
"""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from reasoner.errors import TaskError
from reasoner.tasks.directory import read_directory
from reasoner.tasks.jsonl import Line, read_lines
from reasoner.tasks.records import Visible, task_of
from reasoner.types import Origin, Task

__all__ = ["Visible", "again", "load", "read_all", "read_jsonl"]


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
        task = replace(task, id=task_id) if task_id else task
        return _from(path, task, Origin("", task_id, prompt, tests))
    if tests is not None:
        raise TaskError(f"the records of {path} bring their own tests: leave the test command out")
    task = task_of(_chosen(path, task_id), visible)
    task = replace(task, prompt=prompt) if prompt else task
    return _from(path, task, Origin("", task.id, prompt, visible=visible))


def again(origin: Origin) -> Task:
    """A task as it is now where it was read before. Raises `TaskError`."""
    return load(
        Path(origin.path), task_id=origin.task_id, prompt=origin.prompt, tests=origin.tests, visible=origin.visible
    )


def _from(path: Path, task: Task, origin: Origin) -> Task:
    return replace(task, origin=replace(origin, path=str(path.resolve())))


def read_jsonl(path: Path, visible: Visible = "all", bad: Callable[[TaskError], None] | None = None) -> Iterator[Task]:
    """Every record of a JSONL file (also `.gz`), in the file's order: HumanEval, MBPP, questions or our own schema.

    `visible` says which tests may guide a search: "all" of them, or the "first" (for HumanEval the examples in the
    docstring) while the whole suite is hidden and only grades. `bad` takes what is wrong with a line that cannot be
    used, and the others go on; without it the first such line ends the reading.

    Raises:
        TaskError: the file cannot be read; a line is not JSON, a field is missing or wrong, two records share an id:
            says the line.
    """
    for line in read_lines(path, bad):
        try:
            task = _from(path, task_of(line, visible), Origin("", line.id, visible=visible))
        except TaskError as error:
            if bad is None:
                raise
            bad(error)
            continue
        yield task


def read_all(path: Path, visible: Visible = "all", bad: Callable[[TaskError], None] | None = None) -> Iterator[Task]:
    """Every task at `path`: the records of a file, or the directories right below a directory, by name; a directory
    with a TASK.md of its own is one task. `visible` and `bad`: see `read_jsonl`.

    Raises:
        TaskError: nothing can be read there, or, without `bad`, one of the tasks cannot be used.
    """
    if not path.exists():
        raise TaskError(f"{path} does not exist: give a JSONL file, or a directory that holds tasks")
    if not path.is_dir():
        yield from read_jsonl(path, visible, bad)
        return
    for folder in _folders(path):
        try:
            task = load(folder)
        except TaskError as error:
            if bad is None:
                raise
            bad(error)
            continue
        yield task


def _folders(path: Path) -> list[Path]:
    if (path / "TASK.md").is_file():
        return [path]
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith((".", "_")))


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

"""Tasks with the solutions that their data set brings: records as ever, with a field `solution` beside.

It is Python: a coding task's file, or a program that prints a question's answer. It is shown to nobody but a flywheel,
and like all code from outside it runs in the sandbox alone.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from reasoner.tasks.jsonl import read_lines
from reasoner.tasks.records import Visible, task_of
from reasoner.types import Task

_FIELD = "solution"


def read_worked(path: Path, visible: Visible = "all") -> Iterator[tuple[Task, str]]:
    """Every task of a JSONL file with its solution, in the file's order.

    Raises:
        TaskError: the file cannot be read, or a line is no task or has no solution: says the line.
    """
    for line in read_lines(path):
        solution = line.text(_FIELD).strip("\n")
        if not solution.strip():
            raise line.error("the solution is empty, leave the task out if there is none")
        rest = {name: value for name, value in line.record.items() if name != _FIELD}
        task = task_of(replace(line, record=rest), visible)
        if len(task.editable) > 1:
            raise line.error(f"the solution is one file, and the task has {len(task.editable)}: {task.editable}")
        yield task, solution

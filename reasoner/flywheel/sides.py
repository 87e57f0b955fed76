"""Which tasks a core learns from and which it is measured on, held apart by id and by text. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.flywheel.contamination import Measured
from reasoner.flywheel.reading import in_split
from reasoner.types import Task


@dataclass(frozen=True)
class Sides:
    train: tuple[Task, ...]
    held_out: tuple[Task, ...]
    measured: Measured
    left_out: Counter[str]
    """Why tasks are on neither side."""


def apart(tasks: Sequence[Task], held_out: Sequence[Task], reported: Measured | None = None) -> Sides:
    """Learn from `tasks`, be measured on `held_out`; without these, one task in ten is held back. What shares its text
    with what is `reported` on is not learnt from either.

    Raises:
        ConfigError: one of the sides is empty.
    """
    held = tuple(held_out or (task for task in tasks if in_split(task.id, "check")))
    rest = tasks if held_out else [task for task in tasks if in_split(task.id, "train")]
    measured, left_out = Measured.tasks(held), Counter[str]()
    train = []
    for task in rest:
        if task in held or measured.same(task.prompt):
            left_out["tasks that are held out"] += 1
        elif measured.find(task.id, [task.prompt]):
            left_out["tasks that share a run of words with one that is held out"] += 1
        elif reported and (reported.same(task.prompt) or reported.find(task.id, [task.prompt])):
            left_out["tasks that share a run of words with what is reported on"] += 1
        else:
            train.append(task)
    if not train or not held:
        raise ConfigError(
            f"{len(train)} tasks to learn from and {len(held)} to be measured on are too few: "
            "give more tasks, or others to --held-out"
        )
    return Sides(tuple(train), held, measured, left_out)

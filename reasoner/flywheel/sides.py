"""Which tasks a core learns from and which it is measured on, held apart by id and by text. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    reported: Measured | None = None

    def bar(self, task: Task) -> str:
        """Why nothing may be learnt from a task; empty where it may."""
        if task in self.held_out or self.measured.same(task.prompt):
            return "tasks that are held out"
        if self.measured.find(task.id, [task.prompt]):
            return "tasks that share a run of words with one that is held out"
        if self.reported and (self.reported.same(task.prompt) or self.reported.find(task.id, [task.prompt])):
            return "tasks that share a run of words with what is reported on"
        return ""


def apart(tasks: Sequence[Task], held_out: Sequence[Task], reported: Measured | None = None) -> Sides:
    """Learn from `tasks`, be measured on `held_out`; without these, one task in ten is held back. What shares its text
    with what is `reported` on is not learnt from either.

    Raises:
        ConfigError: one of the sides is empty.
    """
    held = tuple(held_out or (task for task in tasks if in_split(task.id, "check")))
    rest = tasks if held_out else [task for task in tasks if in_split(task.id, "train")]
    sides = Sides((), held, Measured.tasks(held), Counter(), reported)
    train = []
    for task in rest:
        if why := sides.bar(task):
            sides.left_out[why] += 1
        else:
            train.append(task)
    if not train or not held:
        raise ConfigError(
            f"{len(train)} tasks to learn from and {len(held)} to be measured on are too few: "
            "give more tasks, or others to --held-out"
        )
    return replace(sides, train=tuple(train))

"""The gate: whether a core is better than the one it came from, on tasks that neither was trained on.

Both had the same budget for each task and shared no cache. Tasks are what is resampled, each with what both cores came
to on it: a core passes when it solved more and that is no noise, and when it did not compute more for that: a budget
that one of them leaves unused makes no equal terms. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from reasoner.batch import Record
from reasoner.errors import ConfigError
from reasoner.estimates import Estimate, difference

DEARER = 0.1
"""Share of the earlier core's tokens that the later one may compute beyond them."""


@dataclass(frozen=True)
class Checked:
    """What a core came to on the tasks that are held out."""

    solved: Mapping[str, float]
    """By task: the share of its epochs in which it was solved."""
    tokens: float
    """Computed for a task, on average, discarded attempts included."""


@dataclass(frozen=True)
class Decision:
    """Shares of the tasks that both were graded on, and what became of the later core."""

    promoted: bool
    reason: str
    tasks: int
    before: float
    after: float
    by: Estimate
    tokens_before: float
    tokens_after: float


def checked(records: Iterable[Record]) -> Checked:
    """What a run's records come to: the last word on each task in each epoch, where there is one."""
    last = {record.key: record for record in records if record.is_graded}
    solved: dict[str, list[bool]] = {}
    for record in last.values():
        solved.setdefault(record.task, []).append(record.outcome == "solved")
    tokens = sum(record.tokens for record in last.values()) / max(1, len(last))
    return Checked({task: sum(found) / len(found) for task, found in solved.items()}, tokens)


def decide(before: Checked, after: Checked, chance: np.random.Generator) -> Decision:
    """Whether the core of `after` takes the place of that of `before`.

    Raises:
        ConfigError: there is no task that both were graded on.
    """
    tasks = sorted(before.solved.keys() & after.solved.keys())
    if not tasks:
        raise ConfigError("both cores were graded on no task in common: give tasks with tests to --held-out")
    first, second = ([one.solved[task] for task in tasks] for one in (before, after))
    found = difference(first, second, chance)
    by = found.by
    dearer = after.tokens > (1 + DEARER) * before.tokens
    points = f"{100 * by.value:+.1f} points ({100 * by.low:+.1f} to {100 * by.high:+.1f}) on {len(tasks)} tasks"
    tokens = f"{before.tokens:,.0f} tokens a task before, {after.tokens:,.0f} now"
    doubted = f"; the sign test takes it for chance, p {found.p:.2f}" if by.low > 0 and found.is_noise else ""
    return Decision(
        by.value > 0 and not found.is_noise and not dearer,
        f"{points} at {tokens}{f', which is over {DEARER:.0%} more' if dearer else ''}{doubted}",
        len(tasks),
        sum(first) / len(tasks),
        sum(second) / len(tasks),
        by,
        before.tokens,
        after.tokens,
    )

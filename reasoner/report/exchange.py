"""What one core's tokens are worth in another's: how many of its own a run needs to solve as large a share. Pure.

A run's search stops where it has solved its task, so the same run under a smaller budget is known: what it had solved
within so many tokens. Both runs are looked at over the tasks that both have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from reasoner.estimates import Estimate
from reasoner.report.reading import Run, Sample

RESAMPLES = 200


@dataclass(frozen=True)
class Exchange:
    """Run `first` under a budget, beside run `second` as it was."""

    first: Run
    second: Run
    share: float
    """What `second` solved."""
    took: float
    """Its tokens a task."""
    needs: Estimate | None
    """Tokens a task with which `first` solves as much; None where it never did. `high` is infinite where some draws of
    the tasks never do."""

    @property
    def rate(self) -> float | None:
        """Tokens of the first for each of the second's."""
        return self.needs.value / self.took if self.needs and self.took else None


def exchanges(runs: Sequence[Run], chance: np.random.Generator) -> list[Exchange]:
    """Both ways between all runs of different cores that have tasks in common."""
    found = [exchange(a, b, chance) for a, b in permutations(runs, 2) if a.core != b.core]
    return [each for each in found if each]


def exchange(first: Run, second: Run, chance: np.random.Generator) -> Exchange | None:
    """None where they have no graded task in common."""
    mine, theirs = first.by_task(), second.by_task()
    both = sorted(mine.keys() & theirs.keys())
    if not both:
        return None
    a, b = (_table(by, both) for by in (mine, theirs))
    n = len(both)
    whole = np.ones(n)
    needs = a.needs(whole, b.share(whole))
    drawn = []
    for _ in range(RESAMPLES if needs is not None else 0):
        weight = np.bincount(chance.integers(0, n, n), minlength=n).astype(np.float64)
        at = a.needs(weight, b.share(weight))
        drawn.append(np.inf if at is None else at)
    estimate = None
    if needs is not None:
        low, high = np.percentile(drawn, [2.5, 97.5], method="nearest")
        estimate = Estimate(needs, float(low), float(high))
    return Exchange(first, second, b.share(whole), b.cost(whole), estimate)


@dataclass(frozen=True)
class _Table:
    """A row a sample, in order of tokens."""

    task: NDArray[np.int64]
    part: NDArray[np.float64]
    """Of its task: a task counts once, however many samples it has."""
    solved: NDArray[np.float64]
    tokens: NDArray[np.float64]

    def share(self, weight: NDArray[np.float64]) -> float:
        own = weight[self.task] * self.part
        return float((own * self.solved).sum() / own.sum())

    def cost(self, weight: NDArray[np.float64]) -> float:
        own = weight[self.task] * self.part
        return float((own * self.tokens).sum() / own.sum())

    def needs(self, weight: NDArray[np.float64], share: float) -> float | None:
        """Tokens a task under the least budget that solves `share`; None where none does."""
        own = weight[self.task] * self.part
        within = np.cumsum(own * self.solved) / own.sum()
        place = int(np.searchsorted(within, share - 1e-9))
        if place >= len(within):
            return None
        return float((own * np.minimum(self.tokens, self.tokens[place])).sum() / own.sum())


def _table(by: dict[str, list[Sample]], tasks: Sequence[str]) -> _Table:
    rows = [
        (place, 1 / len(by[task]), float(sample.solved), float(sample.tokens))
        for place, task in enumerate(tasks)
        for sample in by[task]
    ]
    rows.sort(key=lambda row: row[3])
    task, part, solved, tokens = zip(*rows, strict=True)
    return _Table(np.array(task), np.array(part), np.array(solved), np.array(tokens))

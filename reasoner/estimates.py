"""What a count of successes says, and how surely: shares, coverage against samples, differences between paired runs.

Pure functions of numbers. A random stream comes in as an argument, so a report is the same twice. Tasks are what is
resampled, since tasks are what a benchmark draws; samples of one task are not independent of each other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Z = 1.959964
"""Half the width of a 95 % interval, in standard deviations."""
RESAMPLES = 1000
_CHUNK = 2**22
"""Numbers that one batch of resamples may hold at once."""
_STEPS = 30


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PowerLaw:
    """Coverage after k samples as `exp(a * k**b)`, with a and b below 0."""

    a: float
    b: float

    def at(self, k: float) -> float:
        return math.exp(self.a * k**self.b)


@dataclass(frozen=True)
class Fit:
    """A power law with the intervals of its two numbers, over resampled tasks."""

    law: PowerLaw
    a: Estimate
    b: Estimate
    resampled: tuple[PowerLaw, ...]

    def at(self, k: float) -> Estimate:
        return _around(self.law.at(k), np.array([law.at(k) for law in self.resampled]))


@dataclass(frozen=True)
class Difference:
    """The second of two runs less the first, over the tasks that both have."""

    tasks: int
    by: Estimate
    p: float
    """Of the exact sign test, two-sided, over the tasks that differ: resampling a few tasks never shows others."""

    @property
    def is_noise(self) -> bool:
        """Whether another draw of tasks could as well show none, or the opposite: the interval holds 0, or as many of
        the tasks that differ would go one way by chance."""
        return self.by.low <= 0.0 <= self.by.high or self.p >= 0.05


def wilson(successes: float, n: int) -> Estimate:
    """A share of independent trials, with Wilson's score interval (1927). `n` 0 says nothing: 0 to 1."""
    if n == 0:
        return Estimate(0.0, 0.0, 1.0)
    share, spread = successes / n, Z * Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


def mean(values: Sequence[float], chance: np.random.Generator) -> Estimate:
    """The mean over tasks, with its percentile bootstrap interval. Raises `ValueError` for no values."""
    if not values:
        raise ValueError("there is no mean of no values")
    rows = np.asarray(values, dtype=np.float64)[:, None]
    return _around(float(rows.mean()), _resampled(rows, chance)[:, 0])


def share(shares: Sequence[float], chance: np.random.Generator) -> Estimate:
    """The mean over tasks of shares between 0 and 1. Where all are alike, no draw of them differs, so the interval is
    Wilson's over their number. Raises `ValueError` for none."""
    return wilson(sum(shares), len(shares)) if shares and min(shares) == max(shares) else mean(shares, chance)


def sign_test(up: int, down: int) -> float:
    """The chance that at least as many of `up + down` fair coins fall on one side, whichever."""
    n = up + down
    log_all = math.lgamma(n + 1) - n * math.log(2)
    tail = sum(math.exp(log_all - math.lgamma(i + 1) - math.lgamma(n - i + 1)) for i in range(min(up, down) + 1))
    return min(1.0, 2 * tail)


def pass_at(k: int, n: int, passed: int) -> float:
    """The chance that one of `k` of these `n` samples passed, unbiased (Chen et al., 2107.03374, section 2.1).

    Raises:
        ValueError: `k` is not between 1 and `n`.
    """
    if not 1 <= k <= n:
        raise ValueError(f"{k} samples of {n} cannot be drawn")
    return 1.0 - math.prod((n - passed - i) / (n - i) for i in range(k)) if n - passed >= k else 1.0


def coverage(samples: Sequence[tuple[int, int]], ks: Sequence[int], chance: np.random.Generator) -> list[Estimate]:
    """Mean `pass_at` of the tasks for each of `ks`. `samples` has (drawn, passed) for each task."""
    table = _table(samples, ks)
    resampled = _resampled(table, chance)
    return [
        wilson(float(column.sum()), len(column))
        if (column == column[0]).all()
        else _around(float(column.mean()), drawn)
        for column, drawn in zip(table.T, resampled.T, strict=True)
    ]


def fit(samples: Sequence[tuple[int, int]], ks: Sequence[int], chance: np.random.Generator) -> Fit | None:
    """The exponentiated power law of coverage (Brown et al., 2407.21787, section 3), by least squares over `ks`.

    None where the curve cannot tell two numbers: fewer than three values of k, or coverage that is 0 or 1 throughout.
    """
    table = _table(samples, ks)
    at = np.asarray(ks, dtype=np.float64)
    law = _fitted(at, table.mean(axis=0))
    if law is None:
        return None
    laws = tuple(found for row in _resampled(table, chance)[:200] if (found := _fitted(at, row)))
    a, b = (np.array([getattr(each, name) for each in (law, *laws)]) for name in "ab")
    return Fit(law, _around(law.a, a), _around(law.b, b), (law, *laws))


def difference(first: Sequence[float], second: Sequence[float], chance: np.random.Generator) -> Difference:
    """Two runs, paired: entry i of both is the share of task i that was right. Raises `ValueError` for none, or unequal
    lengths."""
    each = [b - a for a, b in zip(first, second, strict=True)]
    by = _alike(each[0], len(each)) if each and min(each) == max(each) else mean(each, chance)
    return Difference(len(each), by, sign_test(sum(d > 0 for d in each), sum(d < 0 for d in each)))


def _alike(by: float, n: int) -> Estimate:
    """All of `n` tasks differ by this much. As many others as Wilson's interval leaves room for may do anything."""
    others = 1.0 - wilson(n, n).low
    return Estimate(by, by * (1 - others) - others, by * (1 - others) + others)


def _table(samples: Sequence[tuple[int, int]], ks: Sequence[int]) -> Floats:
    """A row a task, a column a k."""
    if not samples:
        raise ValueError("there is no coverage of no tasks")
    return np.array([[pass_at(k, n, passed) for k in ks] for n, passed in samples], dtype=np.float64)


def _resampled(rows: Floats, chance: np.random.Generator) -> Floats:
    """Means of the columns over rows drawn with replacement, a row for each resample."""
    n, width = rows.shape
    batch = max(1, _CHUNK // (n * width))
    found = [
        rows[chance.integers(0, n, (min(batch, RESAMPLES - done), n))].mean(axis=1)
        for done in range(0, RESAMPLES, batch)
    ]
    return np.concatenate(found)


def _around(value: float, resampled: Floats) -> Estimate:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def _fitted(k: Floats, shares: Floats) -> PowerLaw | None:
    """Least squares on the shares, by Gauss-Newton from the straight line through log(-log share)."""
    inner = (shares > 0.0) & (shares < 1.0)
    if inner.sum() < 3:
        return None
    log_k = np.log(k)
    slope, height = np.polyfit(log_k[inner], np.log(-np.log(shares[inner])), 1)
    at = np.array([height, slope])  # log(-a), b
    for _ in range(_STEPS):
        step = _step(at, log_k, shares)
        while (size := float(np.abs(step).max())) > 1e-9 and _error(at + step, log_k, shares) > _error(
            at, log_k, shares
        ):
            step = step / 2
        at = at + step
        if size <= 1e-9:
            break
    return PowerLaw(-math.exp(at[0]), float(at[1]))


def _curve(at: Floats, log_k: Floats) -> Floats:
    return np.asarray(np.exp(-np.exp(np.clip(at[0] + at[1] * log_k, -50.0, 50.0))), dtype=np.float64)


def _error(at: Floats, log_k: Floats, shares: Floats) -> float:
    return float(((_curve(at, log_k) - shares) ** 2).sum())


def _step(at: Floats, log_k: Floats, shares: Floats) -> Floats:
    curve = _curve(at, log_k)
    down = curve * np.log(np.maximum(curve, 1e-300))  # the derivative by log(-a)
    slopes = np.stack([down, down * log_k], axis=1)
    return np.asarray(np.linalg.lstsq(slopes, shares - curve, rcond=None)[0], dtype=np.float64)

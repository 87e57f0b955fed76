"""From one source's score to P(correct): a curve that is fitted to scores whose truth is known, never falls, and never
says quite 0 or 1.

How much it may bend depends on how much there is to go by: the base rate alone under a Beta prior, Platt's logistic
curve, or an isotonic one.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import exp, log

from reasoner.verifiers.reliability import Pairs

SCARCE = 30
"""Pairs below which only the base rate is believed,"""
PLENTY = 200
"""and from which a curve may take any rising form."""
_EACH = 3
"""Rights, and wrongs, that a curve needs at least."""
_PRIOR = 2.0
"""Observations that a prior counts for."""
_SMALLEST = 1e-6


@dataclass(frozen=True)
class Base:
    """The same for every score."""

    right: float

    def __call__(self, score: float) -> float:
        return self.right


@dataclass(frozen=True)
class Platt:
    """A logistic curve (Platt 1999, section 2.1); `slope` is never below 0."""

    slope: float
    offset: float

    def __call__(self, score: float) -> float:
        return sigmoid(self.slope * score + self.offset)


@dataclass(frozen=True)
class Isotonic:
    """Points of a curve that rises, straight between them and level outside."""

    scores: tuple[float, ...]
    right: tuple[float, ...]

    def __call__(self, score: float) -> float:
        after = bisect_right(self.scores, score)
        if after in (0, len(self.scores)):
            return self.right[max(0, after - 1)]
        low, high = self.scores[after - 1], self.scores[after]
        part = (score - low) / (high - low)
        return self.right[after - 1] + part * (self.right[after] - self.right[after - 1])


Curve = Base | Platt | Isotonic


def fit(pairs: Pairs) -> Curve:
    """The curve that as many pairs of score and truth allow."""
    right = sum(true for _, true in pairs)
    if len(pairs) < SCARCE or min(right, len(pairs) - right) < _EACH:
        return base(pairs)
    return isotonic(pairs) if len(pairs) >= PLENTY else platt(pairs)


def base(pairs: Pairs) -> Base:
    """The mean of a Beta posterior over a uniform prior."""
    return Base((sum(right for _, right in pairs) + 1.0) / (len(pairs) + 2.0))


def platt(pairs: Pairs, steps: int = 50) -> Platt:
    """Maximum likelihood with Platt's softened targets (section 2.2), by Newton's method with a halved step wherever a
    whole one would not help (Lin, Lin and Weng, 2007). Of a source that is right the other way round nothing is
    believed but the base rate."""
    right = sum(true for _, true in pairs)
    wrong = len(pairs) - right
    high, low = (right + 1.0) / (right + 2.0), 1.0 / (wrong + 2.0)
    rows = [(score, high if true else low) for score, true in pairs]
    slope, offset = 0.0, logit((right + 1.0) / (len(pairs) + 2.0))
    level = Platt(0.0, offset)
    loss = _loss(rows, slope, offset)
    for _ in range(steps):
        by_slope, by_offset = _step(rows, slope, offset)
        size = 1.0
        while size > 1e-10 and _loss(rows, slope - size * by_slope, offset - size * by_offset) > loss:
            size /= 2
        slope, offset = slope - size * by_slope, offset - size * by_offset
        before, loss = loss, _loss(rows, slope, offset)
        if before - loss < 1e-9:
            break
    return Platt(slope, offset) if slope > 0.0 else level


def isotonic(pairs: Pairs) -> Isotonic:
    """The rising curve nearest to the truth (pool adjacent violators; Zadrozny and Elkan, 2002), each of its levels
    drawn towards the base rate as by a Beta prior of two observations."""
    whole = base(pairs).right
    levels = [_level(list(group)) for _, group in groupby(sorted(pairs), lambda pair: pair[0])]
    drawn = [
        _Level(n.score, (n.right * n.weight + _PRIOR * whole) / (n.weight + _PRIOR), n.weight + _PRIOR)
        for n in _pooled(levels)
    ]
    points = _pooled(drawn)
    return Isotonic(tuple(p.score for p in points), tuple(p.right for p in points))


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + exp(-x)) if x >= 0 else exp(x) / (1.0 + exp(x))


def logit(p: float) -> float:
    p = min(max(p, _SMALLEST), 1.0 - _SMALLEST)
    return log(p / (1.0 - p))


@dataclass(frozen=True)
class _Level:
    score: float
    right: float
    weight: float


def _level(pairs: Pairs) -> _Level:
    return _Level(pairs[0][0], sum(right for _, right in pairs) / len(pairs), len(pairs))


def _pooled(levels: Sequence[_Level]) -> list[_Level]:
    """Neighbours that do not rise become one level, at their mean score."""
    pooled: list[_Level] = []
    for level in levels:
        while pooled and pooled[-1].right >= level.right:
            level = _joined(pooled.pop(), level)
        pooled.append(level)
    return pooled


def _joined(a: _Level, b: _Level) -> _Level:
    weight = a.weight + b.weight
    return _Level(
        (a.score * a.weight + b.score * b.weight) / weight, (a.right * a.weight + b.right * b.weight) / weight, weight
    )


def _loss(rows: Sequence[tuple[float, float]], slope: float, offset: float) -> float:
    """Cross entropy, as log(1 + e^-|x|) so that nothing overflows."""
    total = 0.0
    for score, target in rows:
        x = slope * score + offset
        total += log(1.0 + exp(-abs(x))) + max(x, 0.0) - target * x
    return total


def _step(rows: Sequence[tuple[float, float]], slope: float, offset: float) -> tuple[float, float]:
    """Newton's step for slope and offset."""
    g0 = g1 = h00 = h01 = h11 = 0.0
    for score, target in rows:
        p = sigmoid(slope * score + offset)
        d, w = p - target, p * (1.0 - p)
        g0, g1 = g0 + d * score, g1 + d
        h00, h01, h11 = h00 + w * score * score, h01 + w * score, h11 + w
    h00, h11 = h00 + 1e-12, h11 + 1e-12
    det = h00 * h11 - h01 * h01
    if det <= 0.0:
        return 0.0, g1 / h11
    return (h11 * g0 - h01 * g1) / det, (h00 * g1 - h01 * g0) / det

"""How good stated probabilities are: reliability bins, calibration error, Brier skill, and how well they rank.

Everything takes pairs of a stated probability and whether it came true. Nothing is drawn and nothing is fitted here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

Pairs = Sequence[tuple[float, bool]]


@dataclass(frozen=True)
class Bin:
    """Pairs whose stated probability lies in one stretch of 0..1."""

    stated: float
    """Their mean."""
    right: float
    """The share that came true."""
    count: int


def reliability(pairs: Pairs, bins: int = 10) -> list[Bin]:
    """The points of a reliability diagram: `bins` stretches of equal width, empty ones left out."""

    def place(pair: tuple[float, bool]) -> int:
        return min(int(pair[0] * bins), bins - 1)

    return [_bin(list(group)) for _, group in groupby(sorted(pairs, key=place), place)]


def ece(pairs: Pairs, bins: int = 10) -> float:
    """Expected calibration error: the mean distance of bins from what they state (Guo et al., 1706.04599, eq. 3)."""
    return sum(b.count * abs(b.stated - b.right) for b in reliability(pairs, bins)) / len(pairs) if pairs else 0.0


def brier(pairs: Pairs) -> float:
    """Mean squared error of the stated probabilities."""
    return sum((p - right) ** 2 for p, right in pairs) / len(pairs) if pairs else 0.0


def brier_skill(pairs: Pairs) -> float:
    """1 for certainty that is always right, 0 for what stating the base rate would earn, below it for worse."""
    base = sum(right for _, right in pairs) / len(pairs) if pairs else 0.0
    floor = base * (1.0 - base)
    return 1.0 - brier(pairs) / floor if floor else 0.0


def auroc(pairs: Pairs) -> float:
    """The chance that one that came true was stated higher than one that did not, ties counted half; 1/2 where all came
    to the same."""
    true = sum(right for _, right in pairs)
    false = len(pairs) - true
    if not true or not false:
        return 0.5
    won, below = 0.0, 0
    for _, group in groupby(sorted(pairs), lambda pair: pair[0]):
        outcomes = [right for _, right in group]
        wrong = len(outcomes) - sum(outcomes)
        won += sum(outcomes) * (below + wrong / 2)
        below += wrong
    return won / (true * false)


def _bin(pairs: Pairs) -> Bin:
    count = len(pairs)
    return Bin(sum(p for p, _ in pairs) / count, sum(right for _, right in pairs) / count, count)

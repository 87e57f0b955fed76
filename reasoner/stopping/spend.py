"""Spend samples where they bring most: when to stop a vote, learnt from recorded ones.

After each sample, how likely the leader is right is set against how likely it will be if sampling goes on and ends when
it is best to, less what the samples until then cost. Both are expectations over recorded votes, fitted backwards from
the last sample by least squares (Longstaff and Schwartz, 2001, "Valuing American options by simulation", section 2). So
a task whose answers all differ is given up for the same reason as one whose answers all agree is believed: more samples
would not change what it comes to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reasoner.ledger import Ledger
from reasoner.stopping.votes import standing
from reasoner.tree import Tree
from reasoner.types import Stop

Array = NDArray[np.float64]


class Vote(NamedTuple):
    """How a vote stands after a sample: of the leader, of the runner-up, and whether the leader is right."""

    first: int
    second: int
    right: bool


@dataclass(frozen=True)
class Rule:
    """What may be expected after 1, 2, ... samples: weights of `_features`, (samples, features) each, of how likely the
    leader is right, and of what going on comes to."""

    now: Array
    later: Array

    def expects(self, first: int, second: int, drawn: int) -> tuple[float, float]:
        seen = np.array(_features(first, second, drawn))
        return float(_chance(seen @ self.now[drawn - 1])), float(_chance(seen @ self.later[drawn - 1]))


@dataclass(frozen=True)
class Spend:
    """Nothing is decided before the first sample; after as many as the rule was learnt from, it is over."""

    source: str
    rule: Rule

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        drawn = tree.tried
        if not drawn:
            return None
        if drawn > len(self.rule.now):
            return Stop(f"{drawn} samples, and nothing is known of more")
        first, second, _ = standing(tree, self.source)
        now, later = self.rule.expects(first, second, drawn)
        if now < later:
            return None
        return Stop(f"{first} of {drawn} agree, and more samples would not be worth it", now)


def learnt(votes: Sequence[Sequence[Vote]], mean: float) -> Rule:
    """The rule that makes the most of `mean` samples a task, fewer where more bring nothing, as far as these votes
    tell: each is a task's, after every sample. Where one has fewer than another, it has to end there."""
    seen = [np.array([_features(v.first, v.second, n) for n, v in enumerate(vote, 1)]) for vote in votes]
    right = [np.array([float(v.right) for v in vote]) for vote in votes]
    low, high = _PRICES
    for _ in range(_HALVINGS):
        price = (low * high) ** 0.5
        _, used = _fitted(seen, right, price)
        low, high = (price, high) if used > mean else (low, price)
    return _fitted(seen, right, high)[0]


def _fitted(seen: Sequence[Array], right: Sequence[Array], price: float) -> tuple[Rule, float]:
    """The rule at a price of a sample, in right answers, and how many it takes on average."""
    ends = np.array([len(one) for one in right])
    value = np.array([one[-1] for one in right])
    lengths, depth, width = ends.copy(), int(ends.max()), seen[0].shape[1]
    now, later = np.zeros((2, depth - 1, width))
    for n in reversed(range(depth - 1)):
        on = np.flatnonzero(lengths > n + 1)
        x, here = (np.array([rows[int(i)][n] for i in on]) for rows in (seen, right))
        both = np.stack([here, value[on] - price], axis=1)
        now[n], later[n] = np.linalg.solve(x.T @ x + _RIDGE * len(on) * np.eye(width), x.T @ both).T
        stops = _chance(x @ now[n]) >= _chance(x @ later[n])
        value[on], ends[on] = np.where(stops, here, both[:, 1]), np.where(stops, n + 1, ends[on])
    return Rule(now, later), float(ends.mean())


def _chance(fitted: Array) -> Array:
    """What a line says of a probability beyond what it was fitted on is none."""
    return np.clip(fitted, 0.0, 1.0)


def _features(first: int, second: int, drawn: int) -> list[float]:
    """The two answers' shares of the samples, up to their squares."""
    a, b = first / drawn, second / drawn
    return [1.0, a, b, a * a, a * b, b * b]


_PRICES = (1e-6, 1.0)
_HALVINGS = 16
_RIDGE = 1e-4

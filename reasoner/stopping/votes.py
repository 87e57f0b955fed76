"""Stop when the votes are in. A vote is a verdict's key: equal keys are one answer. What the answers say is not known.

Those vote that the visible tests score highest, and nobody while none passes them: what leads is known to be wrong.
Every policy looks at the counts that the tree keeps, and the binomial sums are remembered, so a decision costs the same
after ten votes and after ten thousand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, exp, lgamma, log

from reasoner.ledger import Ledger
from reasoner.tree import VOTERS, Tree
from reasoner.types import NodeId, Stop

Answer = Callable[[Tree], NodeId | None]
"""What a strategy would answer with now."""
_MOST = 64
"""Calls up to which a vote's accuracy is predicted."""
_KINDS = 20
"""Into which the tasks of a pool are merged."""


@dataclass(frozen=True)
class Leads:
    """The leading answer would stay ahead of its runner-up, with this `confidence`: Adaptive-Consistency's Beta
    criterion (Aggarwal et al., 2305.11860, section 3.2). `least` votes are waited for whatever they say. Nothing is
    decided while the strategy's own `answer` is not the one that leads."""

    source: str
    confidence: float = 0.95
    least: int = 2
    answer: Answer | None = None

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        first, second, total = standing(tree, self.source)
        sure = lead(first, second)
        if total < self.least or sure < self.confidence:
            return None
        if self.answer and not leads(tree, self.source, self.answer(tree)):
            return None
        return Stop(f"{first} of {total} answers agree", sure)


@dataclass(frozen=True)
class Agrees:
    """A whole window of `size` answers in a row is of one mind: early-stopping self-consistency (Li et al., 2401.10480,
    section 3.1). Windows follow each other without overlap. Nothing is decided while the strategy's own `answer` is
    not the one that leads."""

    source: str
    size: int = 5
    answer: Answer | None = None

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        first, second, total = standing(tree, self.source)
        after = total % self.size
        if total < self.size:
            return None
        window = tree.votes(self.source).keys[total - after - self.size : total - after]
        if len(set(window)) > 1 or (self.answer and not leads(tree, self.source, self.answer(tree))):
            return None
        return Stop(f"{self.size} answers in a row agree", lead(first, second))


@dataclass(frozen=True)
class Level:
    """Tasks of one kind in a recorded pool: how often the core's samples gave the `right` answer, and how often its
    most frequent `wrong` one; `weight` counts the tasks."""

    right: float
    wrong: float
    weight: float = 1.0


@dataclass(frozen=True)
class Calls:
    """The number of calls is reached from which more would not make a vote better (Chen et al., 2403.02419, section 4).

    A vote gets surer of the right answer on tasks where that is the most frequent one, and surer of a wrong one on all
    others; over a mix of both its accuracy rises and then falls. `pool` is the mix, recorded where answers are known;
    how well each kind explains the votes seen so far says which of them this task is likely to be. Kinds that are
    nearly the same are taken for one, so a decision costs the same over a pool of any size."""

    source: str
    pool: tuple[Level, ...]
    most: int = _MOST

    def __post_init__(self) -> None:
        object.__setattr__(self, "pool", merged(self.pool))

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        first, second, total = standing(tree, self.source)
        if not total:
            return None
        best, right = best_calls(likely(self.pool, first, second), self.most)
        return Stop(f"a vote is predicted to be best after {best} answers", right) if total >= best else None


def lead(first: int, second: int) -> float:
    """P(the leader is the more frequent of two answers) with `first` and `second` votes, under a uniform prior.

    It is P(Beta(first + 1, second + 1) > 1/2), which for whole numbers is a binomial sum.
    """
    return _at_most(first + second + 1, first)


def stays(tree: Tree, node: NodeId) -> float | None:
    """How surely the answer of `node` stays ahead; None where it does not lead, or fewer than two vote."""
    for source in VOTERS:
        first, second, total = standing(tree, source)
        if total > 1 and leads(tree, source, node):
            return lead(first, second)
    return None


def fewest(confidence: float) -> int:
    """Answers, all alike, after which `lead` reaches `confidence`."""
    count = 1
    while lead(count, 0) < confidence and count < 1_000:
        count += 1
    return count


def merged(pool: Sequence[Level]) -> tuple[Level, ...]:
    """At most `_KINDS` + 1 kinds of task: those of which the right answer has about the same chance against the wrong
    one, which is all that a vote depends on, become their mean."""
    kinds: dict[int, list[Level]] = {}
    for level in pool:
        kinds.setdefault(round(_KINDS * _between(level)[0]), []).append(level)
    found = []
    for kind in kinds.values():
        weight = sum(level.weight for level in kind)
        right = sum(level.weight * _between(level)[0] for level in kind) / weight if weight else 0.5
        found.append(Level(right, 1.0 - right, weight))
    return tuple(found)


def likely(pool: Sequence[Level], first: int, second: int) -> tuple[Level, ...]:
    """`pool` weighed by how well each kind explains that two answers have `first` and `second` votes.

    Which of the two is right is not known, so both ways count.
    """
    weighed = []
    for level in pool:
        right, wrong = _between(level)
        chance = right**first * wrong**second + wrong**first * right**second
        weighed.append(Level(level.right, level.wrong, level.weight * chance))
    total = sum(level.weight for level in weighed)
    if total <= 0.0:
        return tuple(pool)
    return tuple(Level(level.right, level.wrong, level.weight / total) for level in weighed)


@lru_cache(maxsize=4096)
def best_calls(pool: tuple[Level, ...], most: int = _MOST) -> tuple[int, float]:
    """The fewest calls, odd and at most `most`, of which a vote is right most often, and how often that is."""
    counts = range(1, most + 1, 2)
    return max(((calls, accuracy(pool, calls)) for calls in counts), key=lambda found: (round(found[1], 9), -found[0]))


def accuracy(pool: Sequence[Level], calls: int) -> float:
    """How often a majority of `calls` samples, an odd number, is right on average, between the right answer and the
    nearest wrong."""
    total = sum(level.weight for level in pool)
    right = sum(level.weight * _majority(_between(level)[0], calls // 2) for level in pool)
    return right / total if total else 0.0


def _between(level: Level) -> tuple[float, float]:
    """The chances of the two answers against each other alone."""
    both = level.right + level.wrong
    right = level.right / both if both else 0.5
    return right, 1.0 - right


@lru_cache(maxsize=65536)
def _majority(chance: float, half: int) -> float:
    """P(more than `half` of 2 * `half` + 1 coins), by what two coins more add to so many."""
    even = chance * (1.0 - chance)
    if half == 0 or even <= 0.0:
        return chance
    ways = lgamma(2 * half) - lgamma(half + 1) - lgamma(half)
    return _majority(chance, half - 1) + (2.0 * chance - 1.0) * exp(ways + half * log(even))


@lru_cache(maxsize=65536)
def _at_most(trials: int, heads: int) -> float:
    """P(at most `heads` of `trials` fair coins), exact before the last division."""
    ways: int = sum(comb(trials, k) for k in range(heads + 1))
    return float(ways / 2**trials)


def standing(tree: Tree, source: str) -> tuple[int, int, int]:
    """Votes of the leader and of the runner-up, and all of them."""
    if tree.failing:
        return 0, 0, 0
    votes = tree.votes(source)
    first, second = (ballot.count if ballot else 0 for ballot in (votes.leader, votes.second))
    return first, second, votes.total


def leads(tree: Tree, source: str, node: NodeId | None) -> bool:
    """Whether a node gives the answer that most votes are for."""
    leader = tree.votes(source).leader
    if node is None or leader is None:
        return False
    return any(verdict.source == source and verdict.key == leader.key for verdict in tree[node].verdicts)

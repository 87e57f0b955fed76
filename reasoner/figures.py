"""Figures that are shown together or not at all: what a core can find, what is chosen of it, and what plain sampling
does with as many tokens.

Pure functions of pools: for each task, samples drawn independently from one prompt, in the order of drawing. Where a
pool comes from, and what scored a sample, is not known here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reasoner.estimates import Difference, Estimate, coverage, difference, mean


@dataclass(frozen=True)
class Candidate:
    """One sample, as far as a figure needs it."""

    correct: bool
    """What the hidden tests, or the reference answer, say."""
    tokens: int
    """Computed for this sample alone: what was sampled."""
    score: float = 0.0
    """By which candidates are chosen."""
    passes: bool = False
    """Whether all visible tests pass: plain sampling stops here."""
    key: str = ""
    """Equal keys are one answer; empty for no vote."""


@dataclass(frozen=True)
class Draws:
    """The candidates of one task in the order of drawing. The `prompt` is read once, with the first of them."""

    prompt: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Spent:
    """What plain sampling of one task came to."""

    correct: bool
    tokens: int
    samples: int
    censored: bool = False
    """It would have gone on, and no more samples were recorded."""


@dataclass(frozen=True)
class Run:
    """What a method came to on one task, discarded branches included in its tokens."""

    correct: bool
    tokens: int


@dataclass(frozen=True)
class Against:
    """A method beside plain best-of-N with the same early stop, given as many tokens a task on average."""

    method: Estimate
    plain: Estimate
    by: Difference
    tokens: Estimate
    """Of the method, for each task."""
    plain_tokens: float
    censored: float
    """Share of tasks on which plain sampling would have needed samples that were not recorded."""


@dataclass(frozen=True)
class Honest:
    """Figures of pools with `samples` samples a task, or more."""

    tasks: int
    samples: int
    coverage: dict[int, Estimate]
    """By k: the chance that one of k samples is right (unbiased)."""
    selected: Estimate
    """How often the candidate with the best score, the earliest of equals, is right."""
    gap: Estimate
    """Coverage of all samples less that: what selection loses."""
    vote: Estimate | None
    """How often the most frequent answer is right; None where there are no votes."""
    early: Estimate
    """Plain best-of-N that stops at the first candidate to pass the visible tests."""
    tokens: Estimate
    """For each task, all samples and the prompt once."""
    early_tokens: Estimate
    """The same with the early stop."""


def honest(pools: Sequence[Draws], chance: np.random.Generator, samples: int | None = None) -> Honest:
    """The figures of the first `samples` of each pool, of as many as the smallest has if it is not said.

    Raises:
        ValueError: there is no pool, or one has fewer samples.
    """
    least = min((len(pool.candidates) for pool in pools), default=0)
    n = least if samples is None else samples
    if not 1 <= n <= least:
        raise ValueError(f"{n} samples a task are asked for, and some task has {least}")
    drawn = [Draws(pool.prompt, pool.candidates[:n]) for pool in pools]
    ks = [k for k in _powers(n) if k <= n]
    right = [(n, sum(c.correct for c in pool.candidates)) for pool in drawn]
    chosen = [float(best(pool.candidates).correct) for pool in drawn]
    missed = [float(count > 0) - hit for (_, count), hit in zip(right, chosen, strict=True)]
    votes = [majority(pool.candidates) for pool in drawn]
    early = [plain(pool) for pool in drawn]
    return Honest(
        len(pools),
        n,
        dict(zip(ks, coverage(right, ks, chance), strict=True)),
        mean(chosen, chance),
        mean(missed, chance),
        mean([float(v is not None and v.correct) for v in votes], chance) if any(votes) else None,
        mean([float(spent.correct) for spent in early], chance),
        mean([float(pool.prompt + sum(c.tokens for c in pool.candidates)) for pool in drawn], chance),
        mean([float(spent.tokens) for spent in early], chance),
    )


def against(runs: Sequence[Run], pools: Sequence[Draws], chance: np.random.Generator) -> Against:
    """A method and plain sampling at equal tokens: entry i of both is task i. The cap that all tasks of plain sampling
    share is the least at which it computes as many tokens as the method did, on average.

    Raises:
        ValueError: there is nothing to compare, or not the same tasks.
    """
    tokens = [float(run.tokens) for run in runs]
    method = [float(run.correct) for run in runs]
    cap = equal_tokens(pools, sum(tokens) / max(1, len(tokens)))
    beside = [plain(pool, cap) for pool in pools]
    right = [float(spent.correct) for spent in beside]
    return Against(
        mean(method, chance),
        mean(right, chance),
        difference(right, method, chance),
        mean(tokens, chance),
        sum(spent.tokens for spent in beside) / len(beside),
        sum(spent.censored for spent in beside) / len(beside),
    )


def equal_tokens(pools: Sequence[Draws], tokens: float) -> int:
    """The cap a task at which plain sampling computes `tokens` a task on average, or all that was recorded."""
    low, high = 0, max(pool.prompt + sum(c.tokens for c in pool.candidates) for pool in pools)
    while low < high:
        cap = (low + high) // 2
        if sum(plain(pool, cap).tokens for pool in pools) < tokens * len(pools):
            low = cap + 1
        else:
            high = cap
    return low


def plain(pool: Draws, cap: int | None = None) -> Spent:
    """Best-of-N in the order of drawing: stops at the first candidate that passes, or when `cap` tokens are computed.
    The sample in which the cap is reached is cut there, counts for its part, and cannot be chosen."""
    tokens, seen = pool.prompt, list[Candidate]()
    for candidate in pool.candidates:
        if cap is not None and tokens + candidate.tokens > cap:
            return Spent(bool(seen) and best(seen).correct, max(tokens, cap), len(seen))
        tokens += candidate.tokens
        seen.append(candidate)
        if candidate.passes:
            return Spent(candidate.correct, tokens, len(seen))
    return Spent(bool(seen) and best(seen).correct, tokens, len(seen), censored=cap is not None and tokens < cap)


def best(candidates: Sequence[Candidate]) -> Candidate:
    """The one with the best score, the earliest of equals. One that passes the visible tests is above all others."""
    return max(candidates, key=_rank)


def majority(candidates: Sequence[Candidate]) -> Candidate | None:
    """The earliest candidate with the most frequent key, the key seen first of equals; None without votes."""
    counts = Counter(c.key for c in candidates if c.key)
    if not counts:
        return None
    winner = counts.most_common(1)[0][0]
    return next(c for c in candidates if c.key == winner)


def _rank(candidate: Candidate) -> tuple[bool, float]:
    return candidate.passes, candidate.score


def _powers(n: int) -> list[int]:
    """1, 2, 4, … up to n, and n itself."""
    return sorted({*(2**i for i in range(n.bit_length())), n})

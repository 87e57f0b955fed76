"""Logits -> one token a row. A row draws one uniform number for each token, and the token is read off its cumulative
distribution in vocabulary order: what a row draws does not depend on its neighbours.

Row by row in numpy, in buffers that are used again: a row of 152k logits stays in the cache of one CPU core. Nearly two
thirds of them lie within 25 nats of the likeliest, so looking for those that matter costs more than an exponential of
all; and a running sum of all costs more than everything else, so sums of blocks say in which block the token is.
"""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from reasoner.completions import Sampling

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.intp]
Row = TypeVar("Row")
Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Draw:
    """A sampled token and its natural-log probability at temperature 1, no filter applied."""

    id: int
    logprob: float


class Sampler:
    """Draws from rows of `vocabulary` logits.

    Filters work in the order temperature, top-k, top-p, min-p; ties at a filter's edge are all kept.
    """

    def __init__(self, vocabulary: int) -> None:
        self._logits = np.empty(vocabulary, dtype=np.float32)
        self._near = np.empty(vocabulary, dtype=np.float32)
        self._blocks = np.zeros((-(-vocabulary // _BLOCK), _BLOCK), dtype=np.float32)
        self._weights = self._blocks.reshape(-1)[:vocabulary]

    def draw(self, logits: torch.Tensor, sampling: Sampling, uniform: float, *, first: bool = False) -> Draw | None:
        """A token from one row of logits (vocabulary,), any float; `first` says that `sampling.without` and `only` hold
        here. None where they are not finite."""
        torch.from_numpy(self._logits).copy_(logits)
        top = self._logits.max()
        if not math.isfinite(top):
            return None
        near = np.subtract(self._logits, top, out=self._near)
        norm = math.log(float(np.exp(near, out=self._weights).sum()))
        restricted = sampling.never or (first and (sampling.without or sampling.only))
        if restricted:
            self._restrict(sampling, first)
        if sampling.temperature == 0:
            place = int(near.argmax())
        else:
            if restricted or sampling.temperature != 1:
                np.multiply(near, np.float32(1 / max(sampling.temperature, _COLDEST)), out=self._weights)
                np.exp(self._weights, out=self._weights)
            filtered = sampling.top_k or sampling.top_p < 1 or sampling.min_p
            place = _filtered(self._weights, sampling, uniform) if filtered else self._at(uniform)
        return Draw(place, float(self._logits[place] - top) - norm)

    def _restrict(self, sampling: Sampling, first: bool) -> None:
        """Leave what may be drawn, the likeliest of it at 0. `without` is let go where nothing else is near."""
        near = self._near
        if first and sampling.only:
            only = _places(sampling.only)
            kept = near[only]
            near.fill(-np.inf)
            near[only] = kept
        else:
            near[_places(sampling.never)] = -np.inf
            if first and sampling.without:
                without, top = _places(sampling.without), near.max()
                kept = near[without]
                near[without] = -np.inf
                if near.max() < top - _REACH * max(1.0, sampling.temperature):
                    near[without] = kept
        near -= near.max()

    def _at(self, uniform: float) -> int:
        """The place at `uniform` of the whole mass."""
        sums = self._blocks.sum(axis=1, dtype=np.float64)
        block = _at(sums, uniform)
        within = (uniform * sums.sum() - sums[:block].sum()) / sums[block]
        return block * _BLOCK + _at(self._blocks[block], min(1.0, max(0.0, within)))


class Samplers:
    """Samplers side by side, each on a CPU core of its own: numpy lets go of the interpreter while it works on a row.
    `close` ends their threads."""

    def __init__(self, vocabulary: int, threads: int | None = None) -> None:
        self._samplers = [Sampler(vocabulary) for _ in range(min(_SIDE_BY_SIDE, threads or os.cpu_count() or 1))]
        self._pool = ThreadPoolExecutor(len(self._samplers), "reasoner-sampler", torch.set_num_threads, (1,))

    def each(self, draw: Callable[[Sampler, Row], Drawn], rows: Sequence[Row]) -> list[Drawn]:
        """`draw` of each row, in their order, with a sampler that no other thread has."""

        def some(sampler: Sampler, part: Sequence[Row]) -> list[Drawn]:
            return [draw(sampler, row) for row in part]

        if len(self._samplers) == 1 or len(rows) < _WORTH_A_THREAD:
            return some(self._samplers[0], rows)
        size = -(-len(rows) // len(self._samplers))
        parts = [rows[at : at + size] for at in range(0, len(rows), size)]
        return list(chain.from_iterable(self._pool.map(some, self._samplers, parts)))

    def close(self) -> None:
        self._pool.shutdown()


@lru_cache(maxsize=64)
def _places(ids: tuple[int, ...]) -> Indices:
    return np.array(ids, dtype=np.intp)


def _at(weights: Floats, uniform: float) -> int:
    """The place at `uniform` of the whole mass; one that has some."""
    running = np.cumsum(weights, dtype=np.float64)
    place = int(np.searchsorted(running, uniform * running[-1], side="right"))
    return place if place < len(running) else int(np.flatnonzero(weights)[-1])


def _filtered(weights: Floats, sampling: Sampling, uniform: float) -> int:
    """The place at `uniform` of the mass that the filters keep. The greatest weight is 1."""
    ids: Indices = np.flatnonzero(weights > _NEGLIGIBLE)
    if len(ids) < sampling.top_k < len(weights):
        ids = np.flatnonzero(weights >= np.partition(weights, -sampling.top_k)[-sampling.top_k])
    likely = weights[ids]
    if not _enough(likely, weights, sampling):
        ids, likely = np.arange(len(weights)), weights
    kept = likely >= _floor(likely, weights, sampling)
    return int(ids[kept][_at(likely[kept], uniform)])


def _enough(likely: Floats, weights: Floats, sampling: Sampling) -> bool:
    """Whether what the filters keep is sure to be among the likely tokens."""
    if sampling.top_k > len(likely):
        return False
    if sampling.top_p < 1 and not sampling.top_k:
        return _mass(likely) >= sampling.top_p * _mass(weights)
    return bool(sampling.top_k) or sampling.top_p < 1 or sampling.min_p > _NEGLIGIBLE


def _floor(likely: Floats, weights: Floats, sampling: Sampling) -> float:
    """The lowest weight that every filter keeps."""
    falling = np.sort(likely)[::-1]
    floor, mass = sampling.min_p, _mass(weights)
    if 0 < sampling.top_k < len(falling):
        edge = float(falling[sampling.top_k - 1])
        falling = falling[: np.searchsorted(-falling, -edge, side="right")]
        floor, mass = max(floor, edge), _mass(falling)
    if sampling.top_p < 1:
        reached = int(np.searchsorted(np.cumsum(falling, dtype=np.float64), sampling.top_p * mass))
        floor = max(floor, float(falling[min(reached, len(falling) - 1)]))
    return floor


def _mass(weights: Floats) -> float:
    return float(weights.sum(dtype=np.float64))


_BLOCK = 512
_SIDE_BY_SIDE = 8
"""Threads at most."""
_WORTH_A_THREAD = 4
"""Rows: fewer are drawn sooner than a thread is woken."""
_REACH = 25.0
"""Tokens this far below the likeliest, in nats, are none: 152k of them would hold less than 1e-5 of the mass."""
_NEGLIGIBLE = 1e-5
_COLDEST = 1e-6
"""Below this temperature a division leaves the range of float32."""

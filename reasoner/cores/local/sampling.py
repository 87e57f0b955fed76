"""Logits -> one token a row. A row draws one uniform number for each token, and the token is read off its cumulative
distribution in vocabulary order: what a row draws does not depend on its neighbours.

Row by row in numpy, in two buffers that are used again: a row of 152k logits stays in the cache of one CPU core, fresh
memory would be faulted in page by page, and sorting only what is likely enough to matter costs a tenth of sorting all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reasoner.types import Sampling

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.intp]


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
        self._weights = np.empty(vocabulary, dtype=np.float32)

    def draw(self, logits: torch.Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]) -> list[Draw | None]:
        """A token for each row of `logits` (rows, vocabulary; any float). None for a row that is not finite."""
        return [self._row(row, s, u) for row, s, u in zip(logits, samplings, uniforms, strict=True)]

    def _row(self, row: torch.Tensor, sampling: Sampling, uniform: float) -> Draw | None:
        logits, weights = self._logits, self._weights
        torch.from_numpy(logits).copy_(row)
        top = float(logits.max())
        if not math.isfinite(top):
            return None
        logits -= np.float32(top)
        norm = math.log(float(np.exp(logits, out=weights).sum()))
        if sampling.temperature == 0:
            token = int(logits.argmax())
            return Draw(token, -norm)
        if sampling.temperature != 1:
            np.exp(np.divide(logits, np.float32(max(sampling.temperature, _COLDEST)), out=weights), out=weights)
        filtered = sampling.top_k or sampling.top_p < 1 or sampling.min_p
        token = _filtered(weights, sampling, uniform) if filtered else _unfiltered(weights, uniform)
        return Draw(token, float(logits[token]) - norm)


def _unfiltered(weights: Floats, uniform: float) -> int:
    """The token at `uniform` of the whole mass: first the block that holds it, then the place in the block."""
    blocks = np.cumsum(np.add.reduceat(weights, np.arange(0, len(weights), _BLOCK), dtype=np.float64))
    aim = uniform * blocks[-1]
    block = int(np.searchsorted(blocks, aim, side="right"))
    before = blocks[block - 1] if block else 0.0
    start = block * _BLOCK
    running = before + np.cumsum(weights[start : start + _BLOCK], dtype=np.float64)
    return start + min(int(np.searchsorted(running, aim, side="right")), len(running) - 1)


def _filtered(weights: Floats, sampling: Sampling, uniform: float) -> int:
    """The token at `uniform` of the mass that the filters keep. The greatest weight is 1."""
    ids: Indices = np.flatnonzero(weights > _NEGLIGIBLE)
    if len(ids) < sampling.top_k < len(weights):
        ids = np.flatnonzero(weights >= np.partition(weights, -sampling.top_k)[-sampling.top_k])
    likely = weights[ids]
    if not _enough(likely, weights, sampling):
        ids, likely = np.arange(len(weights)), weights
    kept = likely >= _floor(likely, weights, sampling)
    running = np.cumsum(likely[kept], dtype=np.float64)
    place = int(np.searchsorted(running, uniform * running[-1], side="right"))
    return int(ids[kept][min(place, len(running) - 1)])


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


_NEGLIGIBLE = 1e-5
_BLOCK = 512
_COLDEST = 1e-6
"""Below this temperature a division leaves the range of float32."""

"""Logits -> one token a row. A row draws one uniform number for each token, and the token is read off its cumulative
distribution in vocabulary order: what a row draws does not depend on its neighbours.

Row by row in numpy, in a buffer that is used again: a row of 152k logits stays in the cache of one CPU core, and
exponentials and sorting are for the few tokens that are near enough to the likeliest to matter.
"""

import math
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

    def draw(self, logits: torch.Tensor, sampling: Sampling, uniform: float, *, first: bool = False) -> Draw | None:
        """A token from one row of logits (vocabulary,), any float; `first` says that `sampling.without` and `only` hold
        here. None where they are not finite."""
        whole = self._logits
        torch.from_numpy(whole).copy_(logits)
        top = float(whole.max())
        if not math.isfinite(top):
            return None
        ids: Indices = np.flatnonzero(whole > top - _REACH * max(1.0, sampling.temperature))
        near = whole[ids] - np.float32(top)
        norm = math.log(float(np.exp(near).sum()))
        if sampling.never or (first and (sampling.without or sampling.only)):
            ids = self._allowed(ids, sampling, first)
            near = whole[ids] - whole[ids].max()
        if sampling.temperature == 0:
            place = int(near.argmax())
        else:
            weights = np.exp(near / np.float32(max(sampling.temperature, _COLDEST)))
            filtered = sampling.top_k or sampling.top_p < 1 or sampling.min_p
            place = _filtered(weights, sampling, uniform) if filtered else _at(weights, uniform)
        return Draw(int(ids[place]), float(whole[ids[place]]) - top - norm)

    def _allowed(self, near: Indices, sampling: Sampling, first: bool) -> Indices:
        """Of the ids that are `near` enough to be drawn those that may be; where none may, what is nearest of the
        rest."""
        whole = self._logits
        if first and sampling.only:
            return np.array(sorted(sampling.only), dtype=np.intp)
        whole[list(sampling.never)] = -np.inf
        ids = near[whole[near] > -np.inf]
        if not len(ids):
            ids = np.flatnonzero(whole > whole.max() - _REACH * max(1.0, sampling.temperature))
        others = ~np.isin(ids, sampling.without) if first else np.ones(len(ids), dtype=bool)
        return ids[others] if others.any() else ids


def _at(weights: Floats, uniform: float) -> int:
    """The place at `uniform` of the whole mass."""
    running = np.cumsum(weights, dtype=np.float64)
    return min(int(np.searchsorted(running, uniform * running[-1], side="right")), len(running) - 1)


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


_REACH = 25.0
"""Tokens this far below the likeliest, in nats, are left out: 152k of them would hold less than 1e-5 of the mass."""
_NEGLIGIBLE = 1e-5
_COLDEST = 1e-6
"""Below this temperature a division leaves the range of float32."""

"""Logits -> one token a row. Every row draws one uniform number a token from a generator of its own seed, and the token
is read off the cumulative distribution in vocabulary order: what a row draws does not depend on its neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from reasoner.types import Sampling


@dataclass(frozen=True)
class Draw:
    """A sampled token and its natural-log probability at temperature 1, no filter applied."""

    id: int
    logprob: float


def draw(logits: torch.Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]) -> list[Draw | None]:
    """Sample each row of `logits` (rows, vocabulary; float32). None where a row has no finite distribution.

    Filters work in the order temperature, top-k, top-p, min-p; ties at a filter's edge are all kept.
    """
    norms = torch.logsumexp(logits, dim=-1)
    picked = logits.argmax(dim=-1)
    warm = [i for i, s in enumerate(samplings) if s.temperature > 0]
    if warm:
        rows = torch.tensor(warm, device=logits.device)
        kept = logits if len(warm) == len(samplings) else logits[rows]
        picked[rows] = _inverse(kept, [samplings[i] for i in warm], [uniforms[i] for i in warm])
    chosen = logits.gather(1, picked[:, None])[:, 0] - norms
    broken = ~torch.isfinite(norms)
    return [
        None if bad else Draw(token, logprob)
        for token, logprob, bad in zip(picked.tolist(), chosen.tolist(), broken.tolist(), strict=True)
    ]


def _inverse(logits: torch.Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]) -> torch.Tensor:
    def column(values: Sequence[float], dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype, device=logits.device)[:, None]

    scaled = logits / column([s.temperature for s in samplings])
    scaled -= scaled.amax(dim=-1, keepdim=True)
    floor = column([_floor(s, row) for s, row in zip(samplings, scaled, strict=True)])
    weights = scaled.exp().masked_fill_(scaled < floor, 0.0)
    running = weights.cumsum(dim=-1, dtype=torch.float64)
    aim = running[:, -1:] * column(uniforms, torch.float64)
    return torch.searchsorted(running, aim, right=True)[:, 0].clamp_(max=logits.shape[-1] - 1)


def _floor(sampling: Sampling, scaled: torch.Tensor) -> float:
    """The lowest scaled logit that the filters keep; the greatest one is 0."""
    floor = -float("inf")
    if 0 < sampling.top_k < len(scaled):
        floor = float(scaled.topk(sampling.top_k).values[-1])
    if sampling.top_p < 1:
        floor = max(floor, _nucleus(scaled, sampling.top_p, floor))
    if sampling.min_p > 0:
        floor = max(floor, float(torch.tensor(sampling.min_p).log()))
    return floor


def _nucleus(scaled: torch.Tensor, top_p: float, floor: float) -> float:
    """The scaled logit at which the most likely tokens first hold `top_p` of the mass above `floor`."""
    mass = float(scaled[scaled >= floor].exp().sum(dtype=torch.float64)) * top_p
    count = min(_NUCLEUS, len(scaled))
    while True:
        top = scaled.topk(count).values
        reached = top.exp().cumsum(0, dtype=torch.float64) >= mass
        if bool(reached[-1]):
            return float(top[int(reached.int().argmax())])
        if count == len(scaled):
            return float(top[-1])
        count = min(count * 8, len(scaled))


_NUCLEUS = 256

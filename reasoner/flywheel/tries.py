"""Contexts that begin alike as one sequence, what they share read once: each token sees those before it in its own
contexts and no other, at the place that it has there. What comes out is what each context gives alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Trie:
    ids: tuple[int, ...]
    parents: tuple[int, ...]
    """By token: the one before it, -1 for none."""
    places: tuple[tuple[int, ...], ...]
    """By context: where each of its tokens is."""

    def __len__(self) -> int:
        return len(self.ids)


def trie(contexts: Sequence[Sequence[int]]) -> Trie:
    ids, parents, places = list[int](), list[int](), list[tuple[int, ...]]()
    known = dict[tuple[int, int], int]()
    for context in contexts:
        at, path = -1, list[int]()
        for token in context:
            here = known.setdefault((at, token), len(ids))
            if here == len(ids):
                ids.append(token)
                parents.append(at)
            path.append(at := here)
        places.append(tuple(path))
    return Trie(tuple(ids), tuple(parents), tuple(places))


@dataclass(frozen=True)
class Laid:
    """Tries side by side, padded: (tries, longest) `ids` and `positions`, and (tries, 1, longest, longest) `seen`."""

    ids: torch.Tensor
    seen: torch.Tensor
    positions: torch.Tensor


def laid(tries: Sequence[Trie]) -> Laid:
    """What is padded sees itself alone, so that no row of the softmax is empty."""
    longest = max(map(len, tries))
    ids = torch.zeros(len(tries), longest, dtype=torch.long)
    seen = torch.eye(longest, dtype=torch.bool).repeat(len(tries), 1, 1)
    for row, one in enumerate(tries):
        ids[row, : len(one)] = torch.tensor(one.ids)
        for at, parent in enumerate(one.parents):
            if parent >= 0:
                seen[row, at] |= seen[row, parent]
    return Laid(ids, seen[:, None], seen.sum(-1) - 1)

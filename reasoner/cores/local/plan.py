"""What one forward pass computes, as tensors of token ids, positions and pool slots: ragged rows by index.

A batch is flat: first one token for each decoding row, then the chunks of rows that are being prefilled. Rows that
share a long prefix read it once, together; what is their own is gathered into a padded block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from reasoner.cores.local.cache import Ids, Node, Slots

if TYPE_CHECKING:
    from reasoner.cores.local.rows import Row


@dataclass(frozen=True)
class Shared:
    """A run of slots that several decoding rows read."""

    rows: torch.Tensor | slice
    """Which of the decoding rows: indices (b,), or a slice where they are neighbours."""
    count: int
    slots: torch.Tensor | slice
    """The slots (l,), or a slice where they lie side by side in the pool."""


@dataclass(frozen=True)
class Own:
    """What some decoding rows of about the same length read alone, padded to the longest of them."""

    rows: torch.Tensor | slice
    """Which of the decoding rows, as in `Shared`."""
    slots: torch.Tensor
    """(b, l); a row's unused places hold a slot of its own that `mask` hides: what is not finite stays in its row."""
    mask: torch.Tensor | None
    """(b, 1, 1, l), added to the scores: 0 or -inf. None where no row is padded."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive tokens of one row, at `start:stop` of the batch, and the slots of the row up to its last token."""

    start: int
    stop: int
    slots: torch.Tensor | slice
    past: int
    wanted: int
    """How many of its last tokens have a hidden state that is asked for."""


@dataclass(frozen=True)
class Batch:
    ids: torch.Tensor
    positions: torch.Tensor
    slots: torch.Tensor
    """Where each token's keys and values go; (tokens,) like `ids` and `positions`."""
    decoding: int
    own: tuple[Own, ...]
    shared: tuple[Shared, ...]
    chunks: tuple[Chunk, ...]
    wanted: torch.Tensor
    """Indices of the tokens whose hidden state is asked for."""


def plan(decoding: Sequence["Row"], chunks: Sequence[tuple["Row", int]], device: torch.device, share: bool) -> Batch:
    """The batch that advances `decoding` rows by one token and each row of `chunks` by so many."""
    work = [(row, 1) for row in decoding] + list(chunks)
    ids: list[Ids] = []
    slots: list[Slots] = []
    positions: list[Slots] = []
    wanted: list[int] = []
    parts: list[Chunk] = []
    at = 0
    for index, (row, count) in enumerate(work):
        stop = row.computed + count
        ids.append(row.tokens[row.computed : stop])
        slots.append(row.slots[row.computed : stop])
        positions.append(np.arange(row.computed, stop, dtype=np.int32))
        skipped = min(count, max(0, row.keep_from - row.computed))
        wanted.extend(range(at + skipped, at + count))
        if index >= len(decoding):
            parts.append(Chunk(at, at + count, _run(row.slots[:stop], device), row.computed, count - skipped))
        at += count
    shared, own = _divided(decoding, device) if share else ((), [row.slots[: row.computed + 1] for row in decoding])
    return Batch(
        ids=_tensor(np.concatenate(ids), device),
        positions=_tensor(np.concatenate(positions), device),
        slots=_tensor(np.concatenate(slots), device),
        decoding=len(decoding),
        own=tuple(_own(own, alike, device) for alike in _alike(own)),
        shared=shared,
        chunks=tuple(parts),
        wanted=torch.tensor(wanted, dtype=torch.int64, device=device),
    )


def _divided(rows: Sequence["Row"], device: torch.device) -> tuple[tuple[Shared, ...], list[Slots]]:
    """The runs that are worth reading once for several rows, and for each row the slots of everything else.

    Keys know their positions, so what a row attends to may be cut anywhere and read in any order.
    """
    readers: dict[Node, list[int]] = {}
    for index, row in enumerate(rows):
        for node in row.node.path():
            readers.setdefault(node, []).append(index)
    runs: dict[tuple[int, ...], list[Slots]] = {}
    for node, indices in readers.items():
        runs.setdefault(tuple(indices), []).append(node.slots)
    shared: list[Shared] = []
    own: list[list[Slots]] = [[row.slots[row.inserted : row.computed + 1]] for row in rows]
    for those, parts in runs.items():
        slots = np.concatenate(parts)
        if len(those) > 1 and len(those) * len(slots) >= _WORTH:
            shared.append(Shared(_run(np.array(those, dtype=np.int32), device), len(those), _run(slots, device)))
            continue
        for index in those:
            own[index].append(slots)
    return tuple(shared), [np.concatenate(parts) for parts in own]


def _alike(own: Sequence[Slots]) -> list[list[int]]:
    """Indices of rows whose own parts are about as long: but for short ones, none is padded to twice its length."""
    groups: dict[int, list[int]] = {}
    for index, slots in enumerate(own):
        groups.setdefault((len(slots) // _SHORT).bit_length(), []).append(index)
    return list(groups.values())


def _own(own: Sequence[Slots], alike: list[int], device: torch.device) -> Own:
    lengths = np.array([len(own[i]) for i in alike])
    longest = int(lengths.max())
    slots = np.empty((len(alike), longest), dtype=np.int32)
    for line, index in zip(slots, alike, strict=True):
        line[: len(own[index])] = own[index]
        line[len(own[index]) :] = own[index][0]
    mask = None
    if int(lengths.min()) < longest:
        hidden = np.arange(longest)[None, :] >= lengths[:, None]
        mask = _tensor(np.where(hidden, -np.inf, 0.0).astype(np.float32), device)[:, None, None, :]
    return Own(_run(np.array(alike, dtype=np.int32), device), _tensor(slots, device), mask)


_SHORT = 64
"""Own tokens below which padding costs less than a call more."""
_WORTH = 256
"""Readers times tokens from which one read together is quicker than a read for each."""


def _run(values: Slots, device: torch.device) -> torch.Tensor | slice:
    """A slice where the values are neighbours in ascending order: a view then takes the place of a copy."""
    first = int(values[0])
    if int(values[-1]) - first == len(values) - 1 and bool((np.diff(values) == 1).all()):
        return slice(first, first + len(values))
    return _tensor(values, device)


def _tensor(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(values).to(device)

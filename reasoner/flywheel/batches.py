"""In which order rows are learnt: a plan made once from lengths and a seed, so that an interrupted training goes on
with the row that comes next. Rows of like length share a batch, so little is padded. Pure.
"""

import random
from collections.abc import Sequence

_WINDOW = 16
"""So many batches are drawn at once and sorted by length among themselves: enough to pad little, few enough that a
batch is not all of one length's tasks."""


def plan(lengths: Sequence[int], batch: int, epochs: int, seed: int) -> list[list[int]]:
    """Rows by number, a list for each step. Every epoch has every row once, in an order of its own."""
    steps: list[list[int]] = []
    for epoch in range(epochs):
        chance = random.Random(f"{seed}/{epoch}")
        order = chance.sample(range(len(lengths)), len(lengths))
        steps += _epoch(order, lengths, batch, chance)
    return steps


def _epoch(order: list[int], lengths: Sequence[int], batch: int, chance: random.Random) -> list[list[int]]:
    steps = []
    for start in range(0, len(order), batch * _WINDOW):
        window = sorted(order[start : start + batch * _WINDOW], key=lambda i: lengths[i])
        steps += [window[at : at + batch] for at in range(0, len(window), batch)]
    chance.shuffle(steps)
    return steps


def parts(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Cut one step's rows into parts that, padded to their longest, have at most `tokens` each; longest rows first, so
    that what does not fit into memory fails at once. A row longer than that stands alone."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    found: list[list[int]] = []
    for i in order:
        if found and lengths[found[-1][0]] * (len(found[-1]) + 1) <= tokens:
            found[-1].append(i)
        else:
            found.append([i])
    return found

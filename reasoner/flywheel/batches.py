"""In which order rows are learnt: a plan made once from lengths and a seed, so that an interrupted training goes on
with the row that comes next. Rows of like length share a batch, so little is padded. Pure.
"""

import random
from collections.abc import Sequence

_WINDOW = 16
"""So many batches are drawn at once and sorted by length among themselves: enough to pad little, few enough that a
batch is not all of one length's tasks."""


def plan(lengths: Sequence[int], batch: int, epochs: int, seed: int, tasks: Sequence[str] = ()) -> list[list[int]]:
    """Rows by number, a list for each step. Every epoch has every row once, in an order of its own. Rows of one of
    `tasks` stay together, so what they share is computed once; a step has `batch` rows or, for that, a few more."""
    found: dict[object, list[int]] = {}
    for number in range(len(lengths)):
        found.setdefault(tasks[number] if tasks else number, []).append(number)
    units = list(found.values())
    steps: list[list[int]] = []
    for epoch in range(epochs):
        chance = random.Random(f"{seed}/{epoch}")
        order = chance.sample(units, len(units))
        steps += _epoch(order, lengths, batch, chance)
    return steps


def _epoch(
    order: Sequence[Sequence[int]], lengths: Sequence[int], batch: int, chance: random.Random
) -> list[list[int]]:
    steps = []
    for window in _filled(order, batch * _WINDOW):
        drawn = sorted(window, key=lambda unit: max(lengths[i] for i in unit))
        steps += [[i for unit in step for i in unit] for step in _filled(drawn, batch)]
    chance.shuffle(steps)
    return steps


def _filled(units: Sequence[Sequence[int]], rows: int) -> list[list[Sequence[int]]]:
    """Units in their order, as many together as have so many rows or more."""
    found: list[list[Sequence[int]]] = [[]]
    for unit in units:
        if sum(map(len, found[-1])) >= rows:
            found.append([])
        found[-1].append(unit)
    return found if found[-1] else []


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

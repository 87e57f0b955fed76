"""What a batch says of a student: the loss of rows, and of pairs against a frozen reference.

Each puts its gradients where torch keeps them and returns the loss of the whole step, so that a step may be computed in
parts that fit into memory and is the same whatever the parts are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import torch
import torch.nn.functional as F

from reasoner.flywheel.batches import parts
from reasoner.flywheel.rows import Pair, Row, Way
from reasoner.flywheel.student import Student
from reasoner.flywheel.tries import laid, trie


class Objective(Protocol):
    """What a step of numbered examples costs; gradients are added to what is there."""

    def backward(self, student: Student, numbers: Sequence[int], tokens: int) -> float: ...


@dataclass(frozen=True)
class Imitation:
    """Cross-entropy of what is learnt, weighed; the mean over a step's targets. Rows of one task are read as one."""

    rows: Sequence[Row]

    def backward(self, student: Student, numbers: Sequence[int], tokens: int) -> float:
        chosen = [self.rows[n] for n in numbers]
        whole = sum(row.weight * sum(row.learnt[1:]) for row in chosen)
        bundles = [list(rows) for _, rows in groupby(sorted(chosen, key=_task), key=_task)]
        total = 0.0
        for part in parts([len(trie([row.ids for row in rows])) for rows in bundles], tokens):
            given = [[Way(row.ids, row.learnt) for row in bundles[i]] for i in part]
            found = [p.sum() for ways in logprobs(student, given) for p in ways]
            weights = [row.weight for i in part for row in bundles[i]]
            loss = -torch.stack([weight * p for weight, p in zip(weights, found, strict=True)]).sum() / whole
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return total


@dataclass(frozen=True)
class Preference:
    """Direct preference optimisation (Rafailov et al., 2305.18290, equation 7), with the log-likelihood of the chosen
    way beside it, without which both ways become unlikely (Pang et al., 2404.19733, section 2).

    `reference` has, for each pair, what the student gave to both ways before it learnt anything.
    """

    pairs: Sequence[Pair]
    reference: Sequence[tuple[float, float]]
    beta: float = 0.1
    anchor: float = 0.2

    def backward(self, student: Student, numbers: Sequence[int], tokens: int) -> float:
        total = 0.0
        for part in parts([2 * len(self.pairs[n]) for n in numbers], tokens):
            loss = torch.stack([self._loss(student, numbers[i]) for i in part]).sum() / len(numbers)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return total

    def _loss(self, student: Student, number: int) -> torch.Tensor:
        pair, before = self.pairs[number], self.reference[number]
        chosen, rejected = (p.sum().cpu() for p in logprobs(student, [ways(pair)])[0])
        margin = (chosen - before[0]) - (rejected - before[1])
        likely = chosen / max(1, sum(pair.chosen.learnt))
        return -F.logsigmoid(self.beta * margin) - self.anchor * likely


def _task(row: Row) -> str:
    return row.task


def ways(pair: Pair) -> list[Way]:
    """Both ways from their beginnings on, the prompt read only."""
    read = (False,) * len(pair.prompt)
    return [Way(pair.prompt + way.ids, read + way.learnt) for way in (pair.chosen, pair.rejected)]


def reference(student: Student, pair: Pair) -> tuple[float, float]:
    """What a student gives to both ways now."""
    with torch.inference_mode():
        chosen, rejected = (float(p.sum()) for p in logprobs(student, [ways(pair)])[0])
    return chosen, rejected


def logprobs(student: Student, bundles: Sequence[Sequence[Way]]) -> list[list[torch.Tensor]]:
    """The log-probabilities of what each is to learn, all computed in one pass; what ways of a bundle share is read
    once. Logits are made at those places alone: they are the most of the memory, and a quarter of the work."""
    tries = [trie([way.ids for way in ways]) for ways in bundles]
    states = student.hidden(laid(tries))
    rows, before, wanted, counts = list[int](), list[int](), list[int](), list[list[int]]()
    for row, (ways, one) in enumerate(zip(bundles, tries, strict=True)):
        for way, path in zip(ways, one.places, strict=True):
            learnt = [at for at in range(1, len(way.ids)) if way.learnt[at]]
            rows += [row] * len(learnt)
            before += [path[at - 1] for at in learnt]
            wanted += [way.ids[at] for at in learnt]
        counts.append([sum(way.learnt[1:]) for way in ways])
    logits = student.logits(states[rows, before])
    found = -F.cross_entropy(logits, torch.tensor(wanted, dtype=torch.long, device=student.device), reduction="none")
    each = iter(torch.split(found, [count for ways in counts for count in ways]))
    return [[next(each) for _ in ways] for ways in counts]

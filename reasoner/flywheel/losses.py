"""What a batch says of a student: the loss of rows, and of pairs against a frozen reference.

Each puts its gradients where torch keeps them and returns the loss of the whole step, so that a step may be computed in
parts that fit into memory and is the same whatever the parts are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

from reasoner.flywheel.batches import parts
from reasoner.flywheel.rows import Pair, Row, Way
from reasoner.flywheel.student import Student


class Objective(Protocol):
    """What a step of numbered examples costs; gradients are added to what is there."""

    def backward(self, student: Student, numbers: Sequence[int], tokens: int) -> float: ...


@dataclass(frozen=True)
class Imitation:
    """Cross-entropy of what is learnt, weighed; the mean over a step's targets."""

    rows: Sequence[Row]

    def backward(self, student: Student, numbers: Sequence[int], tokens: int) -> float:
        chosen = [self.rows[n] for n in numbers]
        whole = sum(row.weight * sum(row.learnt[1:]) for row in chosen)
        total = 0.0
        for part in parts([len(row) for row in chosen], tokens):
            rows = [chosen[i] for i in part]
            found = logprobs(student, [Way(row.ids, row.learnt) for row in rows])
            loss = -torch.stack([row.weight * p.sum() for row, p in zip(rows, found, strict=True)]).sum() / whole
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
        chosen, rejected = (p.sum().cpu() for p in logprobs(student, ways(pair)))
        margin = (chosen - before[0]) - (rejected - before[1])
        likely = chosen / max(1, sum(pair.chosen.learnt))
        return -F.logsigmoid(self.beta * margin) - self.anchor * likely


def ways(pair: Pair) -> list[Way]:
    """Both ways from their beginnings on, the prompt read only."""
    read = (False,) * len(pair.prompt)
    return [Way(pair.prompt + way.ids, read + way.learnt) for way in (pair.chosen, pair.rejected)]


def reference(student: Student, pair: Pair) -> tuple[float, float]:
    """What a student gives to both ways now."""
    with torch.inference_mode():
        chosen, rejected = (float(p.sum()) for p in logprobs(student, ways(pair)))
    return chosen, rejected


def logprobs(student: Student, given: Sequence[Way]) -> list[torch.Tensor]:
    """The log-probabilities of what each is to learn, all computed in one pass. Logits are made at those places alone:
    they are the most of the memory, and a quarter of the work."""
    longest = max(len(way.ids) for way in given)
    ids = torch.zeros(len(given), longest, dtype=torch.long)
    attended, wanted = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for i, way in enumerate(given):
        ids[i, : len(way.ids)] = torch.tensor(way.ids)
        attended[i, : len(way.ids)] = 1
        wanted[i, : len(way.ids)] = torch.tensor(way.learnt)
    wanted[:, 0] = False
    ids, attended, wanted = ids.to(student.device), attended.to(student.device), wanted.to(student.device)
    before = wanted.roll(-1, dims=1)
    states = student.hidden(ids, attended)[before]
    found = -F.cross_entropy(student.logits(states), ids[wanted], reduction="none")
    return list(torch.split(found, wanted.sum(1).tolist()))

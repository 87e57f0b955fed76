"""Reward heads: a linear map from the frozen core's last hidden state to a number in 0..1, fitted on states that are
computed once and kept. An outcome head says whether a solution is right (Cobbe et al., 2110.14168, section 4.2), a step
head how often what began so ended well (Wang et al., 2312.08935, section 3.3).

A place that few ends were seen from counts less: its weight is the inverse of its label's variance.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from reasoner.errors import ConfigError, TraceError
from reasoner.flywheel.rows import Judged
from reasoner.flywheel.student import Student
from reasoner.flywheel.tries import laid, trie

_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Of the penalty on the weights, of which the one is taken that tells best on tasks it has not seen."""
_KEEP = 64
_AT_ONCE = 2048
"""Tokens of rows that are read as one, what they share counted for each."""
FOLDS = 5


@dataclass(frozen=True)
class Places:
    """What heads are fitted on: (n, hidden) states with their labels, weights, and the tasks they are of."""

    states: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Head:
    weight: torch.Tensor
    """(hidden,)"""
    bias: float
    penalty: float
    auroc: float
    """On tasks that it had not seen: the chance that of two places the better one gets more."""
    places: int


def states(
    student: Student, rows: Sequence[Judged], cache: Path, told: Callable[[int, int], None] = lambda done, of: None
) -> torch.Tensor:
    """The hidden state at each mark of each row, in their order. `cache` keeps what is computed as it comes, and an
    interrupted computation goes on.

    Raises:
        TraceError: the cache is of other rows, or cannot be written.
    """
    sizes = [len(row.marks) for row in rows]
    found = load_file(cache)["states"] if cache.exists() else torch.empty(0, student.network.config.hidden_size)
    done = _rows_done(sizes, len(found), cache)
    pending, kept = list[torch.Tensor](), done
    for group in _groups(rows[done:]):
        pending.append(_of_group(student, group))
        done += len(group)
        if done - kept >= _KEEP or done == len(rows):
            found, pending, kept = torch.cat([found, *pending]), [], done
            _keep(found, cache)
            told(done, len(rows))
    return found


def _groups(rows: Sequence[Judged]) -> Iterator[list[Judged]]:
    """Rows of one task that stand together, as many as are computed at once: what they share is read once."""
    group, size = list[Judged](), 0
    for row in rows:
        if group and (row.task != group[0].task or size + len(row) > _AT_ONCE):
            yield group
            group, size = [], 0
        group.append(row)
        size += len(row)
    if group:
        yield group


def _rows_done(sizes: Sequence[int], places: int, cache: Path) -> int:
    total = 0
    for number, size in enumerate(sizes):
        if total == places:
            return number
        total += size
    if total != places:
        raise TraceError(f"{cache} holds the states of other rows: delete it")
    return len(sizes)


def _of_group(student: Student, rows: Sequence[Judged]) -> torch.Tensor:
    one = trie([row.ids for row in rows])
    with torch.inference_mode():
        hidden = student.hidden(laid([one]))[0]
        marks = [path[mark.at - 1] for row, path in zip(rows, one.places, strict=True) for mark in row.marks]
        return hidden[marks].float().cpu()


def _keep(found: torch.Tensor, cache: Path) -> None:
    new = cache.with_name(f"{cache.name}.new")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        save_file({"states": found.contiguous()}, new)
        new.rename(cache)
    except OSError as error:
        raise TraceError(f"cannot write {cache} ({error.strerror}): make room, and run this again to go on") from error


def places(rows: Sequence[Judged], found: torch.Tensor) -> Places:
    """Marks and states side by side."""
    marks = [mark for row in rows for mark in row.marks]
    weights = torch.tensor([1.0 / mark.variance for mark in marks])
    return Places(
        found,
        torch.tensor([mark.value for mark in marks]),
        weights / weights.mean(),
        tuple(row.task for row in rows for _ in row.marks),
    )


def fit(given: Places, seed: int = 0) -> Head:
    """Logistic regression on soft labels. The penalty is chosen on tasks left out by turns; the head is fitted on all.

    Raises:
        ConfigError: the labels are all alike, or there are too few tasks to leave some out.
    """
    tasks = set(given.tasks)
    if len(tasks) < FOLDS or float(given.labels.max()) - float(given.labels.min()) < 1e-6:
        raise ConfigError(
            f"a reward head cannot be fitted on {len(tasks)} tasks with labels from {float(given.labels.min()):.2f} to "
            f"{float(given.labels.max()):.2f}: it needs {FOLDS} tasks, and right and wrong ends of them"
        )
    fold = folds(given.tasks, seed)
    told = {penalty: auroc(_crossed(given, fold, penalty).numpy(), given.labels.numpy()) for penalty in _STRENGTHS}
    best = max(_STRENGTHS, key=lambda penalty: (told[penalty], penalty))
    weight, bias = _regression(given.states, given.labels, given.weights, best)
    return Head(weight, bias, best, told[best], len(given.labels))


def folds(tasks: Sequence[str], seed: int = 0) -> torch.Tensor:
    """(n,) -> (n,): the number of the fold that each place is in, drawn by task, so that no task is in two."""
    known = sorted(set(tasks))
    fold = {task: n % FOLDS for n, task in enumerate(random.Random(seed).sample(known, len(known)))}
    return torch.tensor([fold[task] for task in tasks])


def write(head: Head, path: Path) -> None:
    """As the local core loads it for `value`.

    Raises:
        TraceError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"weight": head.weight.contiguous(), "bias": torch.tensor([head.bias])}, path)
    except OSError as error:
        raise TraceError(f"cannot write {path} ({error.strerror}): choose another place") from error


def auroc(
    scores: "np.ndarray[tuple[int], np.dtype[np.float32]]", labels: "np.ndarray[tuple[int], np.dtype[np.float32]]"
) -> float:
    """The chance that of a right and a wrong place, cut at one half, the right one has the higher score; ties halve."""
    good, bad = scores[labels > 0.5], scores[labels <= 0.5]
    if not len(good) or not len(bad):
        return 0.5
    order = np.sort(bad)
    below, upto = np.searchsorted(order, good, "left"), np.searchsorted(order, good, "right")
    return float((below + upto).mean() / 2 / len(bad))


def _crossed(given: Places, folds: torch.Tensor, penalty: float) -> torch.Tensor:
    """What is said of each place by a head that was not fitted on its task."""
    found = torch.zeros(len(given.labels))
    for number in range(FOLDS):
        there, left = folds != number, folds == number
        weight, bias = _regression(given.states[there], given.labels[there], given.weights[there], penalty)
        found[left] = given.states[left] @ weight + bias
    return found


def _regression(
    states: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, penalty: float
) -> tuple[torch.Tensor, float]:
    """Weights and bias for states as they are; fitted where they have mean 0 and spread 1."""
    mean, spread = states.mean(0), states.std(0).clamp(min=1e-4)
    whitened = (states - mean) / spread
    weight = torch.zeros(states.shape[1], requires_grad=True)
    bias = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(whitened @ weight + bias, labels, weights)
        loss = loss + penalty * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    plain = (weight / spread).detach()
    return plain, float(bias.detach() - plain @ mean)

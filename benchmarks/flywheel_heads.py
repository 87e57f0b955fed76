"""Reward heads fitted on recorded samples, as selectors among samples of tasks that they were not fitted on."""

import argparse
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from baseline import problems
from flywheel_live import RUNS

from reasoner import models
from reasoner.cores.local.tuning import tune_process
from reasoner.dialect.tokenizer import HubTokenizer
from reasoner.flywheel import heads, student
from reasoner.flywheel.rows import Judged, Mark

Row = dict[str, Any]
SAMPLES = 16


def selectors(pools: Mapping[str, Sequence[Row]], flags: argparse.Namespace) -> dict[str, dict[str, float]]:
    """By way of choosing, and by task of the first of these sets: whether the sample is right that is chosen, by a
    head, by one that is fitted on how states differ within a task, and by certainty. Each fifth of the tasks is told by
    a head fitted on the other four and on all further sets."""
    tune_process()
    base = models.resolve(models.default())
    one, tokenizer = student.load(base, {}, {}), HubTokenizer(base)
    drawn = {name: _drawn(rows, flags.quick) for name, rows in pools.items()}
    parts = [heads.places(*_read(one, name, rows, tokenizer, flags)) for name, rows in drawn.items()]
    asked = next(iter(drawn.values()))
    return {
        "head": _chosen(asked, _crossed("head", parts)),
        "head within tasks": _chosen(asked, _crossed("head within tasks", [_within(part) for part in parts])),
        "certainty": _chosen(asked, [sum(row["logprobs"]) / len(row["logprobs"]) for row in asked]),
    }


def _crossed(name: str, parts: Sequence[heads.Places]) -> list[float]:
    """What is said of each place of the first part by a head that was not fitted on its task."""
    first, *more = parts
    folds, scores, told = heads.folds(first.tasks), torch.zeros(len(first.tasks)), list[str]()
    for number in range(heads.FOLDS):
        head = heads.fit(_joined([_where(first, folds != number), *more]))
        left = folds == number
        scores[left] = first.states[left] @ head.weight + head.bias
        told.append(f"{head.auroc:.3f}")
    print(f"{name}: AUROC {', '.join(told)} on tasks left out", flush=True)
    return scores.tolist()


def _within(places: heads.Places) -> heads.Places:
    """Each state less the mean of its task's: what tasks differ in is gone."""
    samples = places.states.view(-1, SAMPLES, places.states.shape[1])
    return replace(places, states=(samples - samples.mean(1, keepdim=True)).flatten(0, 1))


def _drawn(rows: Sequence[Row], quick: bool) -> list[Row]:
    """Samples of whole tasks in order, without greedy ones; quickly, those of one task in ten."""
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["task"], row["sample"])):
        if 0 <= row["sample"] < SAMPLES and row["ids"] and (not quick or random.Random(row["task"]).random() < 0.1):
            found.setdefault(row["task"], []).append(row)
    return [row for samples in found.values() if len(samples) == SAMPLES for row in samples]


def _read(
    one: student.Student, name: str, rows: Sequence[Row], tokenizer: HubTokenizer, flags: argparse.Namespace
) -> tuple[list[Judged], torch.Tensor]:
    """Each sample after its prompt, marked at its end, and the core's state there."""
    prompts = {problem.id: problem.prefix for problem in problems(name, tokenizer, None, flags.data)}
    given = list(_judged(rows, prompts))
    cache = RUNS / f"states-{name}-{len(rows)}.safetensors"
    return given, heads.states(one, given, cache, lambda done, of: print(f"{name}: read {done} of {of}", flush=True))


def _judged(rows: Sequence[Row], prompts: Mapping[str, list[int]]) -> Iterator[Judged]:
    for row in rows:
        ids = (*prompts[row["task"]], *row["ids"])
        yield Judged(row["task"], ids, (Mark(len(ids), float(row["correct"])),))


def _where(places: heads.Places, wanted: torch.Tensor) -> heads.Places:
    tasks = tuple(task for task, one in zip(places.tasks, wanted.tolist(), strict=True) if one)
    return heads.Places(places.states[wanted], places.labels[wanted], places.weights[wanted], tasks)


def _joined(parts: Sequence[heads.Places]) -> heads.Places:
    return heads.Places(
        torch.cat([part.states for part in parts]),
        torch.cat([part.labels for part in parts]),
        torch.cat([part.weights for part in parts]),
        tuple(task for part in parts for task in part.tasks),
    )


def _chosen(rows: Sequence[Row], scores: Sequence[float]) -> dict[str, float]:
    best: dict[str, tuple[float, Row]] = {}
    for row, score in zip(rows, scores, strict=True):
        if row["task"] not in best or score > best[row["task"]][0]:
            best[row["task"]] = score, row
    return {task: float(row["correct"]) for task, (_, row) in best.items()}

"""A reward head fitted on recorded samples of training tasks, as a selector among recorded samples of others."""

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from baseline import problems
from records import ROOT

from reasoner import models
from reasoner.cores.local.tuning import tune_process
from reasoner.dialect.tokenizer import HubTokenizer
from reasoner.flywheel import heads, student
from reasoner.flywheel.rows import Judged, Mark

Row = dict[str, Any]
SAMPLES = 16


def selectors(
    train: str, taught: Sequence[Row], test: str, asked: Sequence[Row], flags: argparse.Namespace
) -> tuple[dict[str, float], dict[str, float]]:
    """By task of `test`: whether the sample is right that the head prefers, and the one that the core was surest of."""
    tune_process()
    base = models.resolve(models.default())
    one = student.load(base, {}, {})
    prompts = {name: _prompts(name, HubTokenizer(base), flags) for name in (train, test)}
    taught, asked = (sorted(rows, key=lambda row: (row["task"], row["sample"])) for rows in (taught, asked))
    fitting = list(_judged(taught, prompts[train], flags.quick))
    held = list(_judged(asked, prompts[test], flags.quick))
    head = heads.fit(heads.places(fitting, _states(one, fitting, train)))
    scores = _states(one, held, test) @ head.weight + head.bias
    sampled = [row for row in asked if _counts(row, flags.quick)]
    by_head = {id(row): float(score) for row, score in zip(sampled, scores, strict=True)}
    return _chosen(sampled, lambda row: by_head[id(row)]), _chosen(sampled, _certainty)


def _judged(rows: Sequence[Row], prompts: dict[str, list[int]], quick: bool) -> Iterator[Judged]:
    for row in rows:
        if _counts(row, quick):
            ids = (*prompts[row["task"]], *row["ids"])
            yield Judged(row["task"], ids, (Mark(len(ids), float(row["correct"])),))


def _counts(row: Row, quick: bool) -> bool:
    """Drawn samples alone; quickly, those of one task in ten."""
    drawn = 0 <= row["sample"] < SAMPLES and len(row["ids"]) > 0
    return drawn and (not quick or random.Random(row["task"]).random() < 0.1)


def _prompts(name: str, tokenizer: HubTokenizer, flags: argparse.Namespace) -> dict[str, list[int]]:
    """By task, the ids that its samples were drawn after."""
    return {problem.id: problem.prefix for problem in problems(name, tokenizer, None, flags.data)}


def _states(one: student.Student, rows: Sequence[Judged], name: str) -> torch.Tensor:
    cache = ROOT / "runs" / "flywheel" / f"states-{name}-{len(rows)}.safetensors"
    return heads.states(one, rows, cache, lambda done, of: print(f"{name}: read {done} of {of}", flush=True))


def _chosen(rows: Sequence[Row], score: Callable[[Row], float]) -> dict[str, float]:
    best: dict[str, Row] = {}
    for row in rows:
        if row["task"] not in best or score(row) > score(best[row["task"]]):
            best[row["task"]] = row
    return {task: float(row["correct"]) for task, row in best.items()}


def _certainty(row: Row) -> float:
    return sum(row["logprobs"]) / len(row["logprobs"])

"""What a search is expected to cost, said before it begins: the bounds of its effort, and what earlier runs with the
same model took. Only the first and the last line of their traces are read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from reasoner.config import EFFORTS, Config

_RUNS = 30
"""Traces that are looked at, the newest first."""
_LAST = 2**20
"""Bytes in which the last line of a trace is looked for."""


@dataclass(frozen=True)
class Run:
    """What an earlier run took."""

    effort: str
    tokens: int
    seconds: float


def expected(config: Config, traces: Path, tasks: int = 1) -> str:
    """A line on an effort's cost and one on what the others would cost; empty where no effort was chosen."""
    budget = config.budget
    if not budget.effort:
        return ""
    runs = list(earlier(traces, config.core.model))
    tokens = tasks * budget.tokens
    rate = sum(run.tokens for run in runs) / max(1e-9, sum(run.seconds for run in runs))
    most = f"effort {budget.effort}: at most {config.search.attempts} attempts and {tokens:,} tokens"
    if runs:
        most += f", {duration(tokens / rate)} at {rate:,.0f} tokens/s"
    alike = [run.tokens for run in runs if run.effort == budget.effort]
    if alike:
        usual = tasks * fmean(alike)
        most += f"; usually {usual:,.0f} tokens, {duration(usual / rate)} (earlier runs: {len(alike)})"
    return f"{most}\n{_others(budget.effort, tasks, rate)}"


def _others(chosen: str, tasks: int, rate: float) -> str:
    most = {name: tasks * effort.tokens for name, effort in EFFORTS.items() if name != chosen}
    each = [f"{name} {n:,}" + (f" ({duration(n / rate)})" if rate else "") for name, n in most.items()]
    return f"other efforts, tokens at most: {', '.join(each)}"


def earlier(traces: Path, model: str) -> Iterator[Run]:
    """The newest runs that were recorded with a model and came to an end; what cannot be read is passed over."""
    found = sorted(traces.glob("*.jsonl"), key=lambda path: path.name, reverse=True)[:_RUNS]
    for path in found:
        try:
            first, last = _ends(path)
            spent = last["data"]["result"]["spent"]
            config = first["data"]["config"]
            if config["core"]["model"] != model:
                continue
            tokens = int(spent["prefilled"] + spent["decoded"] + spent["verifier"])
            run = Run(str(config["budget"].get("effort", "")), tokens, float(spent["wall_s"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if run.tokens > 0 and run.seconds > 0:
            yield run


def _ends(path: Path) -> tuple[Any, Any]:
    with path.open("rb") as file:
        first = file.readline()
        size = file.seek(0, 2)
        file.seek(max(0, size - _LAST))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    return json.loads(first), json.loads(last)


def duration(seconds: float) -> str:
    """`40 s`, `5 min` or `3.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"

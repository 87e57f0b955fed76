"""Searches of MBPP tasks with all their asserts visible, recorded one line a task."""

import argparse
import asyncio
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from records import ROOT

from reasoner import models
from reasoner.assembly import assemble
from reasoner.config import BudgetConfig, Config, CoreConfig, SearchConfig
from reasoner.models.adapters import BASE
from reasoner.models.directory import digest
from reasoner.tasks import read_jsonl
from reasoner.types import Task

Row = dict[str, Any]
SIDE_BY_SIDE = 64
"""Tasks, each of which grows one attempt at a time, as plain sampling does."""


async def live(name: str, search: SearchConfig, ids: Sequence[str], flags: argparse.Namespace) -> dict[str, Row]:
    """By task, what a search within `flags.tokens` came to. Goes on where it was interrupted, with the same core and
    the same settings alone."""
    weights = digest(models.resolve(models.default()))[:8]
    told = hashlib.sha256(repr(search).encode()).hexdigest()[:8]
    kept = ROOT / "runs" / "search" / f"{name}-{flags.tokens}-{weights}-{told}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    found = {row["task"]: row for row in rows}
    tasks = [t for t in read_jsonl(flags.data / "mbpp.jsonl", visible="all") if t.id in ids and t.id not in found]
    if tasks:
        config = Config(CoreConfig(adapter=BASE), search=search, budget=BudgetConfig(tokens=flags.tokens))
        await _search(config, tasks, kept, found)
    return {task: found[task] for task in ids if task in found}


async def _search(config: Config, tasks: Sequence[Task], kept: Path, found: dict[str, Row]) -> None:
    turns = asyncio.Semaphore(SIDE_BY_SIDE)
    async with assemble(config) as reasoner:

        async def one(task: Task) -> None:
            async with turns:
                result = await reasoner.solve(task)
            row = {"task": task.id, "solved": result.status == "solved", "spent": dict(result.spent)}
            found[task.id] = row
            with kept.open("a") as file:
                file.write(json.dumps(row) + "\n")

        await asyncio.gather(*map(one, tasks))


def spent(row: Row) -> int:
    """Tokens computed, discarded branches included."""
    return int(row["spent"]["prefilled"] + row["spent"]["decoded"] + row["spent"]["verifier"])

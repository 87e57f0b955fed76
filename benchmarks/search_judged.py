"""Recorded samples, judged by the real verifiers in the real sandbox, at no model cost.

A core that answers every request with the next recorded sample stands in for the model; all else is the product.
"""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reasoner.completions import Completion, CoreInfo, Piece, Sampling, Scored, Usage, Valued
from reasoner.dialect.tokenizer import HubTokenizer
from reasoner.errors import CoreError
from reasoner.ledger import Ledger
from reasoner.runtime import Reasoner
from reasoner.sandboxes import open_sandbox
from reasoner.search.vote import elected
from reasoner.stopping import FirstOf
from reasoner.tasks import read_jsonl
from reasoner.trace import Event, Trace
from reasoner.tree import Tree
from reasoner.types import Expand, NodeId, Task
from reasoner.verifiers import make
from reasoner.verifiers.evidence import evidence

VERIFIERS = ("certainty", "lowest", "behaviour")
Row = dict[str, Any]


class RecordedCore:
    """Says the samples of one task in the order in which they were drawn, whatever it is asked."""

    def __init__(self, tokenizer: HubTokenizer, rows: Sequence[Row]) -> None:
        self.tokenizer = tokenizer
        self.info = CoreInfo("recorded", "recorded", 2**20)
        self._left = list(rows)

    async def complete(self, prefix: Sequence[int], sampling: Sampling) -> Completion:
        if not self._left:
            raise CoreError("every recorded sample was said")
        row = self._left.pop(0)
        ids = tuple(row["ids"])
        usage = Usage(cached=len(prefix), decoded=len(ids))
        return Completion(ids, row["text"], row["finish"], tuple(row["logprobs"]), usage)

    async def stream(self, prefix: Sequence[int], sampling: Sampling) -> AsyncIterator[Piece]:
        done = await self.complete(prefix, sampling)
        yield Piece(done.ids, done.text, done, done.logprobs, done.usage)

    async def score(self, prefix: Sequence[int], continuation: Sequence[int]) -> Scored:
        raise CoreError("a record cannot score")

    async def value(self, prefix: Sequence[int], head: str) -> Valued:
        raise CoreError("a record has no reward head")

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class All:
    """As many samples as were recorded, one after the other."""

    n: int

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        more = tree.opened_as("attempt") < self.n and not tree.in_flight
        return [Expand(tree.root, "attempt", Sampling(temperature=0.8))] if more else []

    def answer(self, tree: Tree) -> NodeId | None:
        return None


async def judged(rows: Sequence[Row], data: Path, model: Path, kept: Path, sandbox: str = "bubblewrap") -> list[Row]:
    """A row a task of MBPP: of each sample what speaks for it, and which one a vote would answer with. Goes on where it
    was interrupted."""
    found = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {row["task"] for row in found}
    pools: dict[str, list[Row]] = {}
    for row in rows:
        pools.setdefault(row["task"], []).append(row)
    tasks = {task.id: task for task in read_jsonl(data / "mbpp.jsonl", visible="first")}
    tokenizer, turns = HubTokenizer(model), asyncio.Semaphore(3)
    box = await open_sandbox(sandbox)

    async def one(task: Task, pool: list[Row]) -> None:
        async with turns:
            samples = sorted((r for r in pool if r["sample"] >= 0), key=lambda r: r["sample"])
            reasoner = Reasoner(
                RecordedCore(tokenizer, samples), box, All(len(samples)), verifiers=make(VERIFIERS), stop=FirstOf(())
            )
            line = await _judge(reasoner, replace(task, hidden=None), samples)
        found.append(line)
        with kept.open("a") as file:
            file.write(json.dumps(line) + "\n")

    try:
        await asyncio.gather(*(one(tasks[name], pool) for name, pool in pools.items() if name not in done))
    finally:
        await box.close()
    return found


async def _judge(reasoner: Reasoner, task: Task, samples: Sequence[Row]) -> Row:
    events: list[Event] = []
    await reasoner.solve(task, events.append)
    tree = Trace(events).tree()
    nodes = [node.id for node in tree.nodes if node.parent is not None]
    assert len(nodes) == len(samples), (task.id, len(nodes), len(samples))
    chosen = {weight or "votes": elected(tree, weight) for weight in ("", "certainty", "lowest")}
    return {
        "task": task.id,
        "samples": [
            {
                "said": evidence(tree, node),
                "key": next((v.key for v in tree[node].verdicts if v.source == "behaviour"), ""),
                "correct": row["correct"],
                "tokens": len(row["ids"]),
            }
            for node, row in zip(nodes, samples, strict=True)
        ],
        "prompt": samples[0]["prompt"],
        "elected": {name: nodes.index(node) if node is not None else None for name, node in chosen.items()},
    }


def certainty(row: Row) -> float:
    """Geometric mean of a sample's token probabilities."""
    return math.exp(sum(row["logprobs"]) / max(1, len(row["logprobs"])))

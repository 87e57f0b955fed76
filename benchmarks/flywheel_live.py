"""Searches of one core over MBPP or GSM8K tasks, a line a task; failed nodes gone on from in three ways."""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from baseline import held_out
from records import ROOT

from reasoner import models
from reasoner.assembly import assemble
from reasoner.config import BudgetConfig, Config, CoreConfig, SandboxConfig, SearchConfig, SpeechConfig
from reasoner.dialect.control import NAMES
from reasoner.dialect.spoken import Opened, Spoken, parse
from reasoner.ledger import Budget
from reasoner.loop.failures import wrong
from reasoner.models import adapter, adapters
from reasoner.runtime import Reasoner
from reasoner.tasks import read_jsonl
from reasoner.trace import Added, Recorder, Trace, read
from reasoner.trace import events as trace_events
from reasoner.types import Task

Row = dict[str, Any]
RUNS = ROOT / "runs" / "flywheel"
SIDE_BY_SIDE = 48
"""Tasks, each of which grows one attempt at a time."""
EPISODES = "protocol-trained"
"""The run whose episodes tell how much parses, and from whose failed nodes arms go on."""
USUAL = SpeechConfig()
BACK = {"backtrack": "backtrack", "learn": "learn"}
"""Ways of stepping back when tests have failed, as `SpeechConfig.failed` says it: the core says why, or the runtime."""
OTHER = {"go on": "act", "restart": "end"}
ARMS = BACK | OTHER


async def live(
    name: str, core: str, search: SearchConfig, ids: Sequence[str], flags: argparse.Namespace, *,
    speech: SpeechConfig = USUAL, tokens: int = 0, traced: bool = False,
    said: Callable[[Reasoner, Trace], Row] | None = None,
) -> dict[str, Row]:  # fmt: skip
    """By task, what a search came to. Goes on where it was interrupted."""
    kept = _kept(name, core)
    found = _read(kept)
    todo = [task for task in tasks(ids, flags) if task.id not in found]
    config = _config(core, search, speech, tokens)

    async def one(reasoner: Reasoner, task: Task) -> Row:
        path = _trace(name, core, task)
        path.unlink(missing_ok=True)
        with closing(Recorder(path, time.monotonic)) as recorder:
            result = await reasoner.solve(task, recorder)
        more = said(reasoner, read(path)) if said else {}
        if not traced:
            path.unlink()
        return {"solved": result.status == "solved", "spent": dict(result.spent), **more}

    await _all(config, todo, one, kept, found)
    return {task: found[task] for task in ids if task in found}


async def again(arm: str, core: str, ids: Sequence[str], flags: argparse.Namespace) -> dict[str, Row]:
    """By task whose first code failed, what came of it in this arm with `flags.left` more tokens. In all arms another
    attempt follows one that is over; one that begins anew has a search of its own, which knows nothing of the first.
    What would be cached had it gone on at once (the prompt, and the failed branch where the core reads on in that) is
    read again here and counts for none of them."""
    kept = _kept(f"arm-{arm.replace(' ', '-')}-{flags.left}", core)
    found = _read(kept)
    fell = {task.id: past for task, past in _fallen(core, ids, flags)}
    fresh = ARMS[arm] == "end"
    search = SearchConfig("best_of_n", attempts=1000, width=1, temperature=0.8, seed=1)
    config = _config(core, search, SpeechConfig(failed=ARMS[arm]), 0)  # type: ignore[arg-type]

    async def one(reasoner: Reasoner, task: Task) -> Row:
        past = fell[task.id]
        tree = past.tree()
        if fresh:
            bounded = replace(reasoner, budget=Budget(tokens=len(tree.ids(tree.root)) + flags.left))
            result = await bounded.solve(task)
        else:
            spent = past.spent.prefilled + past.spent.decoded + past.spent.verifier
            reread = len(tree.ids(tree.root if ARMS[arm] == "learn" else tree.nodes[-1].id))
            result = await replace(reasoner, budget=Budget(tokens=spent + reread + flags.left)).resume(task, past)
        return {"solved": result.status == "solved", "spent": dict(result.spent)}

    todo = [task for task in tasks(list(fell), flags) if task.id not in found]
    await _all(config, todo, one, kept, found)
    return {task: found[task] for task in fell if task in found}


def failures(core: str, ids: Sequence[str], flags: argparse.Namespace) -> dict[str, tuple[str, int]]:
    """By task whose first code failed, how it did, in a few words, and how many tokens the code had."""
    found = {}
    for task, past in _fallen(core, ids, flags):
        steps = past.tree().nodes[-1].steps
        observed = next(step for step in reversed(steps) if step.kind == "observe")
        found[task.id] = wrong(task, observed), sum(len(step.ids) for step in steps if step.kind == "act")
    return found


def _fallen(core: str, ids: Sequence[str], flags: argparse.Namespace) -> list[tuple[Task, Trace]]:
    """Tasks whose first code failed, with their episodes up to there."""
    return [(task, past) for task in tasks(ids, flags) if (past := _fell(_trace(EPISODES, core, task)))]


def parsed(reasoner: Reasoner, trace: Trace) -> Row:
    """How many of the steps that the core said parse, each for itself. One that does not because its attempt's tokens
    ended in the middle of it was `cut`, and is neither."""
    dialect, found, most = Spoken(reasoner.core.tokenizer), Counter(good=0, bad=0, cut=0), 0
    for event in trace.events:
        if isinstance(event, trace_events.Opened):
            most = event.head.expand.sampling.max_tokens
        for step in event.node.steps if isinstance(event, Added) else ():
            ids = [i for span in step.spans if span.sampled for i in span.ids]
            if not ids or step.kind == "observe":
                continue
            kind = None if ids[0] in dialect.controls.ids else step.kind
            opened = Opened(kind) if kind in NAMES else Opened()  # type: ignore[arg-type]
            fine = all(one.kind != "malformed" for one in parse(dialect, ids, opened))
            cut = event.node.cost.decoded >= most and step is event.node.steps[-1]
            found["good" if fine else "cut" if cut else "bad"] += 1
    return dict(found)


def untrained(folder: Path) -> Path:
    """An adapter that changes nothing, with control tokens whose rows are as training finds them."""
    place = folder / "untrained"
    if not (place / adapter.MANIFEST).exists():
        from reasoner.flywheel import saving, student
        from reasoner.flywheel.vocabulary import controls, like, speaking

        base = models.resolve(models.default())
        vocabulary = speaking(base)
        one = student.load(base, controls(vocabulary), like(vocabulary), device="cpu")
        saving.write(one, base, place, {"how": "untrained"})
    return place


def tasks(ids: Sequence[str], flags: argparse.Namespace) -> list[Task]:
    """MBPP tasks with their first assert visible and all of them hidden, or questions of GSM8K's validation split."""
    wanted = set(ids)
    if any(name.startswith("gsm8k") for name in wanted):
        problems = held_out(flags.data / "gsm8k_train.jsonl")
        found = [Task(f"gsm8k/{i}", question, answer=answer) for i, question, answer in problems]
        return [task for task in found if task.id in wanted]
    return [task for task in read_jsonl(flags.data / "mbpp.jsonl", visible="first") if task.id in wanted]


async def _all(config: Config, todo: Sequence[Task], one: Any, kept: Path, found: dict[str, Row]) -> None:
    if not todo:
        return
    turns = asyncio.Semaphore(SIDE_BY_SIDE)
    async with assemble(config) as reasoner:

        async def settle(task: Task) -> None:
            async with turns:
                found[task.id] = row = {"task": task.id, **await one(reasoner, task)}
            with kept.open("a") as file:
                file.write(json.dumps(row) + "\n")

        await asyncio.gather(*map(settle, todo))


def _config(core: str, search: SearchConfig, speech: SpeechConfig, tokens: int) -> Config:
    return Config(
        core=CoreConfig(adapter=str(Path(core).resolve()) if "/" in core else core),
        sandbox=SandboxConfig("bubblewrap"),
        search=search,
        budget=BudgetConfig(tokens=tokens),
        speech=speech,
    )


def _fell(path: Path) -> Trace | None:
    """A trace up to the first node whose tests failed; None where there is none."""
    if not path.exists():
        return None
    trace = read(path)
    for at, event in enumerate(trace.events, 1):
        score = event.node.score("visible") if isinstance(event, Added) else None
        if score is not None and score < 1.0:
            return Trace(trace.events[:at], times=trace.times[:at])
    return None


def _folder(core: str) -> Path:
    place = adapters.find(core, models.resolve(models.default()).name)
    folder = RUNS / (adapter.read(place).digest[:12] if place else "base")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _kept(name: str, core: str) -> Path:
    return _folder(core) / f"{name}.jsonl"


def _trace(name: str, core: str, task: Task) -> Path:
    folder = _folder(core) / name
    folder.mkdir(exist_ok=True)
    return folder / f"{task.id.replace('/', '-')}.jsonl"


def _read(kept: Path) -> dict[str, Row]:
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    return {row["task"]: row for row in rows}

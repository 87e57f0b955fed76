"""The row of `batch.py` that needs a model: real tasks in one batch, and one at a time."""

import asyncio
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from batch_scripted import SETTINGS, figure

from reasoner.assembly import assemble
from reasoner.batch import Folder, Job, Selection, read_problems, run
from reasoner.config import BudgetConfig, Config, CoreConfig, SandboxConfig, SearchConfig
from reasoner.errors import SandboxError
from reasoner.models.adapters import BASE

MBPP = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "mbpp.jsonl"
SEARCHES = {"single": SearchConfig(strategy="single", max_tokens=256), "default": SearchConfig(max_tokens=256)}
GOALS = {"single": 5.0, "default": 1.3}
SMALL = "smollm2-135m-instruct"


def real(flags: Namespace) -> dict[str, Any]:
    """Tasks a minute in one batch, against one task at a time; each arm has a core that remembers nothing."""
    if not MBPP.exists():
        print(f"real: skipped, there is no {MBPP}")
        return {}
    count = flags.tasks or (8 if flags.quick else 64)
    jobs = [Job(task) for task in read_problems(MBPP).chosen(Selection(shuffle=8, limit=count))]
    figures: dict[str, Any] = {}
    for kind in flags.sandbox or ("bubblewrap", "docker"):
        for name in flags.strategy or SEARCHES:
            config = Config(
                CoreConfig(model=flags.model or (SMALL if flags.quick else ""), adapter=BASE),
                SandboxConfig(kind),  # type: ignore[arg-type]
                SEARCHES[name],
                budget=BudgetConfig(tokens=flags.tokens),
            )
            try:
                batch, alone = (asyncio.run(_minutes(config, jobs, workers)) for workers in (count, 1))
            except SandboxError as error:
                print(f"{kind}: skipped, {error}")
                continue
            print(f"{name}, {kind}: {count} tasks in {batch:.1f} min together, {alone:.1f} one by one", flush=True)
            against = f"one task at a time, {count} tasks of {flags.tokens} tokens, {kind}"
            figures[f"{name}_{kind}"] = figure(alone / batch, GOALS[name], "x tasks a minute", "higher", against)
    return figures


async def _minutes(config: Config, jobs: list[Job], workers: int) -> float:
    """From the first task to the last; opening is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        async with assemble(config) as reasoner:
            with Folder(Path(folder) / "out", SETTINGS) as out:
                start = time.monotonic()
                await run(reasoner, jobs, out, workers=workers)
                assert len(out.done) == len(jobs)
                return (time.monotonic() - start) / 60

"""`reasoner run`: many tasks into one directory, and on from there by the same command."""

import argparse
import asyncio
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

from reasoner.assembly import assemble, check, unheard
from reasoner.batch import (
    Admission,
    Folder,
    Here,
    Job,
    Maker,
    Problems,
    Selection,
    Summary,
    drive,
    held_settings,
    open_more_files,
    read_problems,
    summarise,
)
from reasoner.cli.exits import INFRASTRUCTURE, MISUSE, SOLVED, SUSPENDED
from reasoner.cli.expected import expected
from reasoner.cli.records import store
from reasoner.cli.screen import Screen
from reasoner.cli.settings import settings
from reasoner.cli.signals import Signals
from reasoner.config import Config
from reasoner.errors import (
    CoreError,
    ModelError,
    ReasonerError,
    SandboxError,
    TaskError,
    ToolError,
    TraceError,
)
from reasoner.ledger import UNBOUNDED, Budget
from reasoner.models.progress import Progress
from reasoner.protocols import Core
from reasoner.repl.printable import one_line
from reasoner.repl.progress import Tally
from reasoner.telemetry import missing

_FAILURES = (CoreError, ModelError, SandboxError, ToolError, TraceError)
"""What ends a run that goes on by the same command."""
_SAID = 5
"""So many unusable lines are named; summary.json has all."""


def run(arguments: argparse.Namespace) -> int:
    """Do what is not done yet; 0 when every task then has a last word, and could be used."""
    config = settings(arguments, os.environ)
    tools = check(config)
    screen = Screen(arguments.quiet)
    problems = read_problems(arguments.path, visible=arguments.visible)
    if problems.bad and not arguments.skip_bad:
        raise TaskError(f"{_more(problems.bad)}: correct it, or leave such tasks out with --skip-bad")
    chosen = problems.chosen(Selection(arguments.filter, arguments.shuffle, arguments.limit))
    if not arguments.skip_bad:
        for task in chosen:
            tools.must_have(task)
    _say_bad(problems, screen)
    jobs = [Job(task, epoch) for epoch in range(arguments.epochs) for task in chosen]
    held, within = held_settings(config.resolved(), problems), Budget(arguments.run_tokens)
    with Folder(arguments.output, held, force_new=arguments.force_new) as folder:
        if folder.moved:
            screen.say(f"the earlier run is kept in {folder.moved}")
        began = time.monotonic()
        failure: ReasonerError | None = None
        try:
            code = work(config, jobs, folder, screen, arguments.workers, ray=arguments.ray, within=within)
        except _FAILURES as error:
            code, failure = INFRASTRUCTURE, error
        finally:
            summary = _summary(folder, jobs, problems)
            folder.write_summary(asdict(summary))
    if folder.began or not failure or arguments.json:
        spent = code == SUSPENDED
        _conclude(summary, folder, screen, time.monotonic() - began, as_json=arguments.json, spent=spent)
    if failure:
        raise failure
    return code or _code(summary)


def _more(bad: Sequence[str]) -> str:
    return f"{bad[0]} (and {len(bad) - 1} more)" if len(bad) > 1 else bad[0]


def work(
    config: Config,
    jobs: list[Job],
    folder: Folder,
    screen: Screen,
    workers: int | None,
    *,
    ray: str = "",
    within: Budget = UNBOUNDED,
    core: Core | None = None,
) -> int:
    """Do what is left, here or on the nodes of the cluster `ray`; the code of a signal that ended it, or of what was
    left because `within` is spent, else 0. `core` takes the place of the one that `config` names, here."""
    done = sum(job.key in folder.done for job in jobs)
    if done:
        screen.say(f"{done} of {len(jobs)} are done already")
    if done == len(jobs):
        return 0
    if within.spent_by(folder.spent):
        return SUSPENDED
    for said in (expected(config, store(), len(jobs) - done), unheard(config, (job.task for job in jobs)), missing()):
        if said:
            screen.say(said)
    signals = Signals(screen)

    async def work() -> None:
        signals.cancel_this_task()
        async with AsyncExitStack() as opened:
            with screen.progress() as progress:
                maker, admission = await _maker(config, opened, progress, workers, ray, core)
            solved = _summary(folder, jobs).solved
            with screen.run(Tally(time.monotonic, len(jobs), done, solved)) as watcher:
                await drive(maker, jobs, folder, admission, watcher=watcher, within=within)

    try:
        asyncio.run(work())
    except asyncio.CancelledError:
        return signals.code
    return SUSPENDED if within.spent_by(folder.spent) and any(job.key not in folder.done for job in jobs) else 0


async def _maker(
    config: Config,
    opened: AsyncExitStack,
    progress: Progress,
    workers: int | None,
    ray: str,
    core: Core | None = None,
) -> tuple[Maker, Admission]:
    """Who makes the attempts, and how many at once."""
    if not ray:
        open_more_files()
        here = Here(await opened.enter_async_context(assemble(config, progress=progress, core=core)))
        return here, Admission(workers, here.core.rows)
    from reasoner.batch.cluster import connected

    key = {name: os.environ[name] for name in ("OPENAI_API_KEY",) if config.core.url and name in os.environ}
    progress.begin(f"opening a core on every node of {ray}", 0)
    cluster = await opened.enter_async_context(connected(ray, partial(assemble, config, environment=key), workers))
    return cluster, cluster.admission


def _summary(folder: Folder, jobs: list[Job], problems: Problems | None = None) -> Summary:
    """Of the tasks that this command is about; the directory may hold more."""
    asked = {job.key for job in jobs}
    return summarise((r for r in folder.records() if r.key in asked), len(jobs), problems.bad if problems else ())


def _code(summary: Summary) -> int:
    if summary.failed or summary.done < summary.asked:
        return INFRASTRUCTURE
    return MISUSE if summary.outcomes.get("unusable") else SOLVED


def _conclude(summary: Summary, folder: Folder, screen: Screen, seconds: float, *, as_json: bool, spent: bool) -> None:
    if as_json:
        print(json.dumps({**asdict(summary), "directory": str(folder.path)}))
    else:
        print(f"solved {summary.solved} of {summary.graded}" if summary.graded else f"answered {summary.done}")
    for line in told(summary, folder.path, seconds, spent=spent):
        screen.say(line)


def told(summary: Summary, path: Path, seconds: float, *, spent: bool = False) -> Iterator[str]:
    """Lines for a person; `spent` where the run's own budget ended it."""
    others = ", ".join(f"{n} {outcome}" for outcome, n in sorted(summary.outcomes.items()))
    yield f"done      {summary.done} of {summary.asked}: {others or 'nothing yet'}"
    yield f"cost      {summary.tokens:,} tokens, {summary.decoded:,} of them written; {seconds:.0f} s this time"
    if summary.failed:
        yield f"failed    {summary.failed}: the same command tries them again"
    elif spent:
        yield "spent     the budget of the run: the same command goes on with a larger --run-tokens"
    elif summary.done < summary.asked:
        yield "stopped   the same command goes on from here"
    yield f"results   {path}"


def _say_bad(problems: Problems, screen: Screen) -> None:
    """Where they are, within the problems: their path is known, and may be longer than a terminal is wide."""
    known = re.compile(rf"(?<!\S){re.escape(str(problems.path))}(?:/|, )")
    for line in problems.bad[:_SAID]:
        screen.say(one_line(f"left out: {known.sub('', line)}", screen.width))
    if len(problems.bad) > _SAID:
        screen.say(f"left out: {len(problems.bad) - _SAID} more, all named in summary.json")

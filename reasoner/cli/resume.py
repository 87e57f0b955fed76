"""`reasoner resume`: go on with a search that was suspended, stopped or killed, in the same record."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal

from reasoner import tasks
from reasoner.assembly import assemble
from reasoner.cli.exits import SOLVED
from reasoner.cli.records import command, find, listing, records, store
from reasoner.cli.screen import Screen
from reasoner.cli.settings import own_settings
from reasoner.cli.signals import Signals
from reasoner.cli.solve import conclude, continued, search, seen
from reasoner.config import Config, recorded
from reasoner.errors import ConfigError, TaskError, TraceError
from reasoner.ledger import Budget
from reasoner.repl.answer import Answer
from reasoner.stopping import SPENT
from reasoner.trace import Began, Recorder, Trace, read
from reasoner.types import Task


def run(arguments: argparse.Namespace) -> int:
    """List what there is, or go on with one of it; the exit code is that of the result."""
    said = own_settings(os.environ).traces
    folder = Path(arguments.traces or said) if arguments.traces or said else store()
    if arguments.trace is None:
        return _list(folder, as_json=arguments.json)
    path = find(arguments.trace, folder)
    past, screen = read(path), Screen(arguments.quiet)
    began = past.began
    task, note = found(began)
    into = _target(began, task) if arguments.write else None
    if past.cut:
        screen.say("the last line of the record was cut off, and is dropped")
    if is_over(past):
        screen.say("this search is over: here is what it came to")
        return conclude(seen(task, past, path), screen, into, as_json=arguments.json)
    config = elsewhere(_config(past), arguments.url, arguments.sandbox)
    budget = with_more(
        past,
        Budget(arguments.add, arguments.add_time, tool_cpu_s=arguments.add_cpu, money=arguments.add_money),
        past.spent.money + config.prices.second * past.seconds,
        path,
    )
    if note:
        screen.say(note)
    signals = Signals(screen)
    try:
        with continued(path, past) as recorder:
            answer = asyncio.run(_resume(config, budget, task, past, recorder, screen, signals))
    except asyncio.CancelledError:
        return signals.code
    return conclude(answer, screen, into, as_json=arguments.json)


async def _resume(
    config: Config, budget: Budget, task: Task, past: Trace, recorder: Recorder, screen: Screen, signals: Signals
) -> Answer:
    signals.cancel_this_task()
    async with AsyncExitStack() as opened:
        with screen.progress() as progress:
            reasoner = await opened.enter_async_context(assemble(config, progress=progress))
        return await search(replace(reasoner, budget=budget), task, recorder, screen, past)


def is_over(past: Trace) -> bool:
    """Whether more budget would change nothing: it came to an end of its own."""
    result = past.result
    return result is not None and (result.status == "solved" or not result.stop.reason.startswith(SPENT))


def with_more(past: Trace, more: Budget, paid: float, path: Path) -> Budget:
    """The old bounds, or what was spent where that is more, and what is added to them. `paid` is in money.

    Raises:
        ConfigError: a bound is spent and nothing is added to it.
    """
    spent, bounds = replace(past.spent, money=paid), {}
    for name, extra in vars(more).items():
        bound = getattr(past.budget, name)
        bounds[name] = bound if extra is None else max(bound or 0, getattr(spent, name)) + extra
    budget = Budget(**bounds)
    if dimension := budget.spent_by(spent):
        hint = command(path, f": {dimension}", past.budget)
        raise ConfigError(
            f"the budget of {dimension} is spent ({getattr(spent, dimension):,g}): add to it, as in {hint}"
        )
    return budget


def found(began: Began) -> tuple[Task, str]:
    """The task as it was recorded, with what only grades it, which is read once more where the task came from; and a
    sentence where that cannot be had."""
    task, origin = began.task, began.task.origin
    if not began.graded and began.version > 1:
        return task, ""
    if origin is None:
        return task, "the record does not say where its task is: hidden tests, if it has any, will not grade the answer"
    try:
        now = tasks.again(origin)
    except TaskError as error:
        return task, f"the task cannot be read again ({error}): its hidden tests will not grade the answer"
    if replace(now, hidden=None, answer=None) != task:
        return (
            task,
            f"the task in {origin.path} has changed: the recorded one goes on, and no hidden test will grade it",
        )
    return now, ""


def _target(began: Began, task: Task) -> Path:
    """The task's own directory, to write into. Raises ConfigError where that would overwrite something else."""
    origin = began.task.origin
    if origin is None or not Path(origin.path).is_dir():
        raise ConfigError("--write puts files into a task's directory, and this task has none: leave it out")
    if replace(tasks.again(origin), hidden=None, answer=None) != began.task:
        raise ConfigError(f"{origin.path} has changed since the search began: leave --write out, and apply the diff")
    return Path(origin.path)


def _config(past: Trace) -> Config:
    if not past.began.config:
        raise TraceError("this search was begun from Python, with settings that no record holds: use Reasoner.resume")
    return recorded(past.began.config)


def elsewhere(config: Config, url: str | None, sandbox: Literal["auto", "docker", "bubblewrap"] | None) -> Config:
    """The same search, its model at another server, its code in another sandbox. Raises ConfigError."""
    if url and not config.core.url:
        raise ConfigError("this search was begun with a local model, not with a server's: leave out --url")
    core = replace(config.core, url=url or config.core.url)
    return replace(config, core=core, sandbox=replace(config.sandbox, kind=sandbox or config.sandbox.kind))


def _list(folder: Path, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"searches": [record.json() for record in records(folder)]}))
        return SOLVED
    lines = list(listing(folder, shutil.get_terminal_size().columns, time.time()))
    if lines:
        print("\n".join(lines))
    else:
        print(f"there is no recorded search in {folder} yet: solve a task first", file=sys.stderr)
    return SOLVED

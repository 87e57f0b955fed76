"""`reasoner ask`: one question, thought through in front of you, its Python run in the sandbox."""

import argparse
import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from reasoner.assembly import assemble
from reasoner.cli.exits import STATUS
from reasoner.cli.screen import Screen
from reasoner.cli.settings import settings, talking
from reasoner.cli.signals import Signals
from reasoner.cli.solve import recorded
from reasoner.config import Config
from reasoner.errors import TaskError
from reasoner.models.store import home
from reasoner.repl.printable import printable
from reasoner.runtime import Reasoner
from reasoner.telemetry import spans
from reasoner.trace import Recorder
from reasoner.types import Result, Task

_LONGEST = 64 * 2**10
"""Characters of a question."""


def run(arguments: argparse.Namespace) -> int:
    """Ask, show, and return 0 when there is an answer."""
    task = Task("question", question(arguments.question))
    config = one_line_of_thought(talking(settings(arguments, os.environ)))
    screen = Screen(arguments.quiet)
    signals = Signals(screen)
    try:
        with recorded(Path(config.traces) if config.traces else home() / "runs", "ask") as recorder:
            result = asyncio.run(_ask(config, task, recorder, screen, signals))
    except asyncio.CancelledError:
        return signals.code
    conclude(task, result, recorder.path, screen, as_json=arguments.json)
    return STATUS[result.status]


def question(words: str | None) -> str:
    """What is asked: the argument, and what comes through a pipe below it.

    Raises:
        TaskError: nothing is asked, or it is no text that a model could read.
    """
    piped = "" if sys.stdin is None or sys.stdin.isatty() else _piped()
    asked = "\n\n".join(part for part in (words or "", piped) if part.strip()).strip()
    if not asked:
        raise TaskError('nothing is asked: say for example reasoner ask "What is 17 % of 2,340?"')
    if len(asked) > _LONGEST:
        raise TaskError(f"the question has {len(asked):,} characters, more than {_LONGEST:,}: shorten it")
    return asked


def one_line_of_thought(config: Config) -> Config:
    """A single greedy attempt, unless a strategy or an effort was chosen: what is watched reads from top to bottom."""
    search = config.search
    if search.strategy == type(search)().strategy and not config.budget.effort:
        return replace(config, search=replace(search, strategy="single"))
    return config


async def _ask(config: Config, task: Task, recorder: Recorder, screen: Screen, signals: Signals) -> Result:
    signals.cancel_this_task()
    async with AsyncExitStack() as opened:
        with screen.progress() as progress:
            reasoner = await opened.enter_async_context(assemble(config, progress=progress))
        return await answered(reasoner, task, recorder, screen)


async def answered(reasoner: Reasoner, task: Task, recorder: Recorder, screen: Screen) -> Result:
    """Let `reasoner` think about `task`, seen on `screen` as it is written, and recorded."""
    with spans() as spanned:
        return await reasoner.solve(task, recorder, screen.asking(), spanned)


def conclude(task: Task, result: Result, trace: Path, screen: Screen, *, as_json: bool) -> None:
    """The answer alone to stdout; what it cost and where it is recorded to stderr."""
    seconds = float(result.spent.get("wall_s", 0.0))
    computed = sum(int(result.spent.get(name, 0)) for name in ("prefilled", "decoded", "verifier"))
    if as_json:
        print(json.dumps(_json(task, result, trace)))
    else:
        answer = result.answer
        print(printable(answer) if sys.stdout.isatty() else answer)
    why = "" if result.answer else f"no answer: {result.stop.reason}; "
    screen.say(f"{why}{computed:,} tokens, {seconds:.1f} s, sandbox {result.level}")
    screen.say(f"trace {trace}")


def _json(task: Task, result: Result, trace: Path) -> dict[str, object]:
    return {
        "question": task.prompt,
        "answer": result.answer,
        "status": result.status,
        "reason": result.stop.reason,
        "core": result.core,
        "sandbox": result.level,
        "spent": dict(result.spent),
        "trace": str(trace),
    }


def _piped() -> str:
    try:
        return sys.stdin.buffer.read(4 * _LONGEST + 1).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskError("what came through the pipe is not UTF-8 text: send text") from error

"""`reasoner solve`: one task, from its files to its solution."""

import argparse
import asyncio
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from reasoner import tasks
from reasoner.assembly import assemble, check, unheard
from reasoner.cli.exits import STATUS
from reasoner.cli.expected import expected
from reasoner.cli.records import command, store
from reasoner.cli.screen import Screen
from reasoner.cli.settings import settings
from reasoner.cli.signals import Signals
from reasoner.config import Config
from reasoner.errors import ConfigError
from reasoner.ledger import Budget
from reasoner.repl.answer import Answer, changed, coloured
from reasoner.repl.board import Board
from reasoner.repl.printable import printable
from reasoner.runtime import Reasoner
from reasoner.stopping import SPENT
from reasoner.tasks.write import write
from reasoner.telemetry import spans
from reasoner.trace import Recorder, Trace
from reasoner.types import Result, Task


def run(arguments: argparse.Namespace) -> int:
    """Solve, show, and return the exit code that the result has."""
    config = settings(arguments, os.environ)
    if arguments.write and not arguments.path.is_dir():
        raise ConfigError(f"--write puts files into a directory, and {arguments.path} is none: leave it out")
    task = tasks.load(arguments.path, task_id=arguments.task_id, prompt=arguments.task, tests=arguments.tests)
    check(config).must_have(task)
    screen = Screen(arguments.quiet)
    signals = Signals(screen)
    traces = Path(config.traces) if config.traces else store()
    for said in filter(None, (expected(config, traces), unheard(config, [task]))):
        screen.say(said)
    try:
        with recorded(traces, task.id) as recorder:
            answer = asyncio.run(_solve(config, task, recorder, screen, signals))
    except asyncio.CancelledError:
        return signals.code
    return conclude(answer, screen, arguments.path if arguments.write else None, as_json=arguments.json)


async def _solve(config: Config, task: Task, recorder: Recorder, screen: Screen, signals: Signals) -> Answer:
    signals.cancel_this_task()
    async with AsyncExitStack() as opened:
        with screen.progress() as progress:
            reasoner = await opened.enter_async_context(assemble(config, progress=progress))
        return await search(reasoner, task, recorder, screen)


async def search(
    reasoner: Reasoner, task: Task, recorder: Recorder, screen: Screen, past: Trace | None = None
) -> Answer:
    """Let `reasoner` work on `task`, from where `past` ended if there is one, seen on `screen` and recorded."""
    board = _board(past)
    with screen.search(board) as view, spans() as spanned:
        if past:
            result = await reasoner.resume(task, past, recorder, board, view, spanned)
        else:
            result = await reasoner.solve(task, recorder, board, view, spanned)
    return _answer(task, result, board, recorder.path, reasoner.budget)


def seen(task: Task, past: Trace, path: Path) -> Answer:
    """What a search came to that is over."""
    assert past.result is not None
    return _answer(task, past.result, _board(past), path, past.budget)


def _board(past: Trace | None) -> Board:
    board = Board(time.monotonic, before=past.seconds if past else 0.0)
    for event in past.events if past else ():
        board(event)
    return board


def _answer(task: Task, result: Result, board: Board, path: Path, budget: Budget) -> Answer:
    goes_on = command(path, result.stop.reason, budget) if result.stop.reason.startswith(SPENT) else ""
    return Answer.of(task, result, board, path, goes_on)


def conclude(answer: Answer, screen: Screen, into: Path | None, *, as_json: bool) -> int:
    """Write or show the solution, say what it is worth, and return the exit code. Only a solved task is written."""
    result = answer.result
    written = write(into, changed(answer.task, result.files)) if into and result.status == "solved" else []
    if as_json:
        print(json.dumps({**answer.json(), "written": written}))
    elif into:
        print("".join(f"{printable(path)}\n" for path in written), end="")
    elif answer.task.is_question:
        print(printable(result.answer))
    else:
        _show(answer.diff())
    if into and not written:
        screen.say("nothing was written")
    for line in ("", *answer.summary(shutil.get_terminal_size().columns)):
        screen.say(line)
    return STATUS[result.status]


def _show(diff: bytes) -> None:
    """Exact bytes into a pipe or a file; on a terminal, in colour and with nothing in it that a terminal obeys."""
    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(diff)
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in coloured(diff):
        console.print(line)


@contextmanager
def recorded(folder: Path, task: str) -> Iterator[Recorder]:
    """A trace in `folder`, under a name of its own. One that was broken off is pointed at, an empty one is removed.

    Raises:
        TraceError: nothing can be written there.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", task).strip(".-")[:60] or "task"
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-{secrets.token_hex(2)}.jsonl"
    with _pointed_at(Recorder(path, time.monotonic)) as recorder:
        yield recorder


@contextmanager
def continued(path: Path, past: Trace) -> Iterator[Recorder]:
    """The trace that was read from `path`, to be gone on with.

    Raises:
        TraceError: it cannot be written, or another process writes it.
    """
    with _pointed_at(Recorder(path, time.monotonic, onto=past)) as recorder:
        yield recorder


@contextmanager
def _pointed_at(recorder: Recorder) -> Iterator[Recorder]:
    path = recorder.path
    try:
        yield recorder
    except BaseException:
        if path.stat().st_size:
            print(f"what was tried so far is recorded in {path}", file=sys.stderr)
            print(f"go on with: {command(path)}", file=sys.stderr)
        raise
    finally:
        recorder.close()
        if not path.stat().st_size:
            path.unlink()

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
from rich.text import Text

from reasoner import tasks
from reasoner.assembly import assemble
from reasoner.cli.answer import Answer, changed
from reasoner.cli.exits import STATUS
from reasoner.cli.screen import Screen
from reasoner.cli.settings import settings
from reasoner.cli.signals import Signals
from reasoner.cli.write import write
from reasoner.config import Config
from reasoner.errors import ConfigError
from reasoner.models.store import home
from reasoner.repl.board import Board
from reasoner.repl.printable import printable
from reasoner.runtime import Reasoner
from reasoner.trace import Recorder
from reasoner.types import Task


def run(arguments: argparse.Namespace) -> int:
    """Solve, show, and return the exit code that the result has."""
    config = settings(arguments, os.environ)
    if arguments.write and not arguments.path.is_dir():
        raise ConfigError(f"--write puts files into a directory, and {arguments.path} is none: leave it out")
    task = tasks.load(arguments.path, task_id=arguments.task_id, prompt=arguments.task, tests=arguments.tests)
    screen = Screen(arguments.quiet)
    signals = Signals(screen)
    try:
        with recorded(Path(config.traces) if config.traces else home() / "runs", task.id) as recorder:
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


async def search(reasoner: Reasoner, task: Task, recorder: Recorder, screen: Screen) -> Answer:
    """Let `reasoner` work on `task`, seen on `screen` and recorded."""
    board = Board(time.monotonic)
    with screen.search(board) as view:
        result = await reasoner.solve(task, recorder, board, view)
    winner = board.owner(result.node) if result.node is not None else None
    return Answer(task, result, len(board.attempts), winner.number if winner else None, recorder.path)


def conclude(answer: Answer, screen: Screen, into: Path | None, *, as_json: bool) -> int:
    """Write or show the solution, say what it is worth, and return the exit code. Only a solved task is written."""
    result = answer.result
    written = write(into, changed(answer.task, result.files)) if into and result.status == "solved" else []
    if as_json:
        print(json.dumps({**answer.json(), "written": written}))
    elif into:
        print("".join(f"{printable(path)}\n" for path in written), end="")
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
    for line in diff.decode("utf-8", "replace").splitlines():
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
        console.print(Text(printable(line), "bold" if line[:3] in ("+++", "---") else style))


@contextmanager
def recorded(folder: Path, task: str) -> Iterator[Recorder]:
    """A trace in `folder`, under a name of its own. One that was broken off is pointed at, an empty one is removed.

    Raises:
        TraceError: nothing can be written there.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", task).strip(".-")[:60] or "task"
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-{secrets.token_hex(2)}.jsonl"
    recorder = Recorder(path, time.monotonic)
    try:
        yield recorder
    except BaseException:
        if path.stat().st_size:
            print(f"what was tried so far is recorded in {path}", file=sys.stderr)
        raise
    finally:
        recorder.close()
        if not path.stat().st_size:
            path.unlink()

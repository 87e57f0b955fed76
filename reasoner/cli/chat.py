"""`reasoner chat`: a conversation in a terminal, or through a pipe."""

import argparse
import asyncio
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from reasoner.assembly import assemble
from reasoner.cli.exits import SOLVED
from reasoner.cli.settings import settings, talking
from reasoner.config import Config, recorded
from reasoner.conversation import EFFORTS, OWN, Session
from reasoner.errors import ConfigError
from reasoner.models.store import home
from reasoner.repl.chat.chat import Chat
from reasoner.repl.chat.commands import COMMANDS
from reasoner.repl.chat.permissions import Permissions
from reasoner.repl.chat.reading import PipeReader, Reader, TerminalReader
from reasoner.runtime import Reasoner


def run(arguments: argparse.Namespace) -> int:
    """Talk until the person leaves, or the pipe ends."""
    store = Path(arguments.sessions).expanduser() if arguments.sessions else home() / "chats"
    console = Console(highlight=False)
    live = sys.stdin.isatty() and sys.stdout.isatty() and not console.is_dumb_terminal
    config = settings(arguments, os.environ)
    if arguments.goes_on:
        config = _as_begun(store, arguments.goes_on, config)
    config = talking(config)

    async def opening(opened: AsyncExitStack) -> Reasoner:
        permissions = Permissions(home() / "allowed-hosts", chat.watcher.asked)
        return await opened.enter_async_context(assemble(config, permit=permissions.host))

    store.mkdir(parents=True, exist_ok=True)
    reader, goes_on = _reader(store, live), arguments.goes_on or ""
    chat = Chat(opening, reader, console, store, goes_on, live=live, yes=arguments.yes, effort=_effort(config))
    asyncio.run(chat.run())
    return SOLVED


def _reader(store: Path, live: bool) -> Reader:
    if live:
        return TerminalReader(store / "history", list(COMMANDS))
    return PipeReader(sys.stdin, sys.stdout)


def _effort(config: Config) -> str:
    """The chat's own for the same word; what a strategy or another effort was chosen for is taken as it is."""
    if config.search.strategy == type(config.search)().strategy and config.budget.effort in ("", *EFFORTS):
        return config.budget.effort or "low"
    return OWN


def _as_begun(store: Path, name: str, config: Config) -> Config:
    """The same model and sandbox as then, unless a flag says otherwise. Raises ConfigError."""
    names = sorted(store.glob("*/session.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
    fitting = [path.parent for path in names if name in ("last", path.parent.name) or name in path.parent.name]
    if not fitting:
        raise ConfigError(f"there is no session {name!r} in {store}: begin one with reasoner chat")
    session = Session.load(fitting[0])
    session.close()
    then = recorded(session.began.config) if session.began.config else config
    return replace(config, core=then.core) if config.core == type(config.core)() else config

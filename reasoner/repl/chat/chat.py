"""The chat: reads what is typed, runs it as a turn or a command, and shows what happens. It thinks nothing itself.

The core loads behind the prompt. Ctrl-C holds a running turn still and asks what to do with it; twice leaves. Whatever
ends the process, the session is on disk up to the last step.
"""

import asyncio
import re
import secrets
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from reasoner.conversation import Conversation, Errand, Session, Turn
from reasoner.errors import ReasonerError, TraceError
from reasoner.repl.answer import Answer
from reasoner.repl.board import Board
from reasoner.repl.chat.commands import COMMANDS
from reasoner.repl.chat.reading import Reader, nearest, words
from reasoner.repl.chat.showing import branches
from reasoner.repl.chat.view import TurnView
from reasoner.repl.chat.watching import Watcher
from reasoner.repl.live import LiveView
from reasoner.repl.plain import PlainView
from reasoner.repl.printable import one_line, printable
from reasoner.runtime import Reasoner
from reasoner.tree import LIKELIHOOD
from reasoner.types import Task

Opening = Callable[[AsyncExitStack], Awaitable[Reasoner]]
"""Opens core and sandbox, which the stack closes."""
_FILE = re.compile(r"(?<!\S)@(\S+)")
_FILE_MOST = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(eq=False)
class Chat:
    """`store` holds a folder for each session; `goes_on` names one of them."""

    opening: Opening
    reader: Reader
    console: Console
    store: Path
    goes_on: str = ""
    live: bool = True
    yes: bool = False
    """Agree to what would be asked: files into the world, solutions into their place."""
    clock: Callable[[], float] = time.monotonic
    effort: str = "low"
    _talk: Conversation | None = None
    _ready: asyncio.Task[Reasoner] | None = None
    _prefilled: str = ""
    _told: set[str] = field(default_factory=set)
    watcher: Watcher = field(init=False)

    def __post_init__(self) -> None:
        self.watcher = Watcher(self.reader, self.say)

    async def run(self) -> None:
        """Until the person leaves.

        Raises:
            ReasonerError: core or sandbox cannot be had, or the session that was named cannot be gone on with.
        """
        async with AsyncExitStack() as opened:
            self._ready = asyncio.create_task(self._open(opened))
            self.say("reasoner chat · /help for commands, Ctrl-D leaves", "dim")
            try:
                if self.goes_on:
                    await self.load(self.goes_on)
                await self._listen()
            finally:
                if not self._ready.done():
                    self._ready.cancel()
                await asyncio.gather(self._ready, return_exceptions=True)
                if self._talk:
                    await self._talk.close()
                    self.say(f"go on with this: reasoner chat --continue {self._talk.session.id}", "dim")

    # --- what commands ask for ---

    @property
    def width(self) -> int:
        return self.console.width

    def say(self, words: str | Text, style: str = "") -> None:
        text = Text(printable(words), style) if isinstance(words, str) else words
        self.console.print(text, overflow="fold")

    async def talk(self) -> Conversation:
        if self._talk is None:
            await self.begin()
        assert self._talk is not None
        return self._talk

    async def begin(self) -> None:
        reasoner = await self._reasoner()
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        await self._replace(
            Conversation(
                reasoner,
                Session.create(self.store / name, reasoner.core.info, reasoner.config),
                self._notice,
                effort=self.effort,
                budget=reasoner.budget,
            )
        )

    async def load(self, name: str) -> None:
        folder = self.store / self._known(name)
        reasoner = await self._reasoner()
        if self._talk and self._talk.session.folder == folder:
            raise TraceError(f"the session {name} is the one that is open")
        session = Session.load(folder)
        try:
            talk = Conversation.load(reasoner, session, notice=self._notice, effort=self.effort)
        except ReasonerError:
            session.close()
            raise
        await self._replace(talk)
        self._welcome(talk)

    def sessions(self) -> list[str]:
        found = self.store.glob("*/session.jsonl")
        return [path.parent.name for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]

    def save(self, name: str) -> str:
        if self._talk is None:
            raise TraceError("nothing was said yet, so there is nothing to keep")
        if not _NAME.fullmatch(name) or (self.store / name).exists():
            raise TraceError(f"{name!r} is taken, or no name: letters, digits, dots and dashes")
        shutil.copytree(self._talk.session.folder, self.store / name)
        return name

    def prefill(self, words: str) -> None:
        self._prefilled = words

    async def agreed(self, question: str) -> bool:
        return self.yes or (await self.reader.line(f"{question} [y/N] ")).strip().lower() in ("y", "yes")

    async def solve(self, task: Task) -> Answer:
        talk = await self.talk()
        errand = Errand(talk.reasoner, task, talk.session.errand(), talk.budget)
        board = Board(self.clock)
        view = LiveView(board, self.console) if self.live else PlainView(board, sys.stdout)
        with view:
            result, _ = await self.watcher.watch(errand, view, lambda: errand.run(board, view))
        if result is None:
            raise TraceError(f"what was tried so far is recorded: reasoner resume {errand.path}")
        return Answer.of(task, result, board, errand.path)

    async def grow(self, growing: Callable[..., Awaitable[Turn]]) -> None:
        talk = await self.talk()
        before = talk.at
        view = TurnView(self.console, self.clock, live=self.live, paid=lambda: talk.spending.money)
        with view:
            turn, said = await self.watcher.watch(talk, view, lambda: growing(view))
        if turn:
            self._conclude(turn, view)
        elif talk.at != before and not said:
            talk.session.go(before)
        if said:
            await self.grow(lambda *listeners: talk.ask(said, *listeners))

    # --- the loop ---

    async def _listen(self) -> None:
        interrupted = False
        while True:
            try:
                default, self._prefilled = self._prefilled, ""
                line = await words(self.reader, default)
                interrupted = False
                await self._do(line.strip())
            except KeyboardInterrupt:
                if interrupted:
                    return
                interrupted = True
                self.say("Ctrl-C once more leaves", "dim")
            except EOFError:
                return
            except ReasonerError as error:
                if self._ready and self._ready.done() and self._ready.exception():
                    raise
                self.say(f"error: {error}", "red")
            except OSError as error:
                self.say(f"error: {one_line(str(error), self.width)}", "red")

    async def _do(self, line: str) -> None:
        if not line:
            return
        if not line.startswith("/"):
            await self._ask(line)
            return
        name, _, rest = line.partition(" ")
        command = COMMANDS.get(name)
        if command is None:
            near = nearest(name, COMMANDS)
            self.say(f"there is no command {name}: " + (f"did you mean {near}?" if near else "see /help"), "red")
            return
        await command.run(self, rest.strip())

    async def _ask(self, said: str) -> None:
        talk = await self.talk()
        files: dict[str, bytes] = {}
        for found in _FILE.findall(said):
            path = Path(found).expanduser()
            if path.is_file() and await self._may(path):
                files[path.name] = path.read_bytes()
                said = said.replace(f"@{found}", f"`{path.name}`")
        await self.grow(lambda *listeners: talk.ask(said, *listeners, files=files))

    async def _may(self, path: Path) -> bool:
        size = path.stat().st_size
        if size > _FILE_MOST:
            self.say(f"{path} has {size:,} bytes, more than {_FILE_MOST:,}: it stays here", "red")
            return False
        return await self.agreed(f"put {printable(str(path))} ({size:,} bytes) into the world?")

    # --- a turn ---

    def _conclude(self, turn: Turn, view: TurnView) -> None:
        """What was not shown yet, then how sure it is, why it stopped, what it cost."""
        result, end = turn.result, turn.end
        assert result is not None
        if end and end.node != view.tip:
            for text in branches(turn.tree, end.node, self.width):
                self.console.print(text)
            for node in turn.tree.path(end.node):
                if node.parent is not None:
                    view.show(node)
        sure = "" if result.stop.confidence is None else f" · sure to {result.stop.confidence:.0%}"
        likelihood = turn.tree.score(end.node, LIKELIHOOD) if end else None
        likely = f" · likelihood {likelihood:.2f} a token" if likelihood is not None and not sure else ""
        spent = turn.spent
        paid = f" · {spent.money:.6g} in money" if spent.money else ""
        cost = f"{spent.tokens:,} tokens, {spent.wall_s:.1f} s{paid}"
        self.say(f"turn {turn.id} · {result.stop.reason}{sure}{likely} · {cost}", "dim")
        if result.status == "suspended":
            self.say("its budget is spent: /more goes on, /budget changes it", "yellow")
        self.say("")

    # --- opening ---

    async def _open(self, opened: AsyncExitStack) -> Reasoner:
        return await self.opening(opened)

    async def _reasoner(self) -> Reasoner:
        assert self._ready is not None
        if not self._ready.done():
            self.say("the core is being loaded …", "dim")
        return await asyncio.shield(self._ready)

    async def _replace(self, talk: Conversation) -> None:
        old, self._talk = self._talk, talk
        if old:
            await old.close()

    def _known(self, name: str) -> str:
        """A session by its name, a part of it, or `last`."""
        names = self.sessions()
        fitting = [known for known in names if name == known] or [known for known in names if name in known]
        if name == "last" and names:
            return names[0]
        if len(fitting) == 1:
            return fitting[0]
        hint = "say more of it" if fitting else f"there are {', '.join(names[:3]) or 'none yet'}"
        raise TraceError(f"{len(fitting)} sessions have {name!r} in their name: {hint}")

    def _welcome(self, talk: Conversation) -> None:
        self.say(f"going on with {talk.session.id}", "dim")
        for sentence in talk.session.lost:
            self.say(sentence, "yellow")
        for turn in talk.line[-2:]:
            self.say(f"> {turn.words}", "bold")
            self.say(turn.said or "(no answer)")
        if talk.unfinished:
            self.say(f"turn {talk.unfinished.id} was broken off: /more goes on with it", "yellow")

    def _notice(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self.say(sentence, "yellow")

"""Stays beside something that runs: Ctrl-C holds it still and asks the person what to do with it, and what it wants to
know itself is put to the person in between.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeVar

from reasoner.repl.chat.reading import Reader
from reasoner.repl.printable import printable
from reasoner.repl.unechoed import unechoed

_HELD = "held still: [g]o on, [k]eep what there is, [d]rop it, [b]udget N tokens more, or say something to it"

T = TypeVar("T")
Question = tuple[str, "asyncio.Future[str]"]
"""What something inside a turn wants to know of the person."""


class Held(Protocol):
    """What Ctrl-C holds still: a conversation's turn, or an errand."""

    def pause(self) -> None: ...
    def proceed(self, more: int = 0) -> None: ...
    def keep(self) -> None: ...
    def drop(self) -> None: ...


class View(Protocol):
    def hold(self) -> None: ...
    def resume(self) -> None: ...


class Watcher:
    def __init__(self, reader: Reader, say: Callable[[str, str], None]) -> None:
        self._reader, self._say = reader, say
        self._questions: asyncio.Queue[Question] = asyncio.Queue()

    async def asked(self, question: str) -> str:
        """What the person answers to something that a running turn wants to know."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await self._questions.put((question, answer))
        return await answer

    async def watch(self, held: Held, view: View, growing: Callable[[], Awaitable[T]]) -> tuple[T | None, str]:
        """What came of it, None when it was dropped; and what was said to it meanwhile."""
        with unechoed():
            return await self._watch(held, view, asyncio.ensure_future(growing()))

    async def _watch(self, held: Held, view: View, task: "asyncio.Future[T]") -> tuple[T | None, str]:
        said = ""
        try:
            while not task.done():
                question = await self._interruption(task)
                if task.done() or question is None:
                    continue
                view.hold()
                if isinstance(question, tuple):
                    await self._put(*question)
                else:
                    held.pause()
                    said = await self._held(held, task)
                view.resume()
            return await task, said
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            held.drop()
            self._say("dropped", "dim")
            return None, ""
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _interruption(self, task: "asyncio.Future[T]") -> Question | Literal["Ctrl-C"] | None:
        """Wait until the task ends, a question comes from inside it, or the person presses Ctrl-C."""
        pressed, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, pressed.set)
        waiting = asyncio.create_task(pressed.wait()), asyncio.create_task(self._questions.get())
        try:
            await asyncio.wait((task, *waiting), return_when=asyncio.FIRST_COMPLETED)
            if pressed.is_set():
                return "Ctrl-C"
            return waiting[1].result() if waiting[1].done() else None
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            if pressed.is_set() and waiting[1].done():
                self._questions.put_nowait(waiting[1].result())
            for wait in waiting:
                wait.cancel()

    async def _put(self, question: str, answer: "asyncio.Future[str]") -> None:
        """A question to the person; to leave it unanswered is to say no."""
        try:
            words = await self._reader.line(printable(question))
        except (EOFError, KeyboardInterrupt):
            words = ""
        if not answer.done():
            answer.set_result(words)

    async def _held(self, held: Held, task: "asyncio.Future[T]") -> str:
        """Ask what to do with a turn that is held still. Returns what is said to it."""
        self._say(_HELD, "yellow")
        answer = (await self._reader.line("? ")).strip()
        match answer.partition(" "):
            case ("" | "g" | "go", _, _):
                held.proceed()
            case ("k" | "keep", _, ""):
                held.keep()
            case ("d" | "drop", _, ""):
                task.cancel()
            case ("b" | "budget", _, more) if more.strip().isdecimal():
                held.proceed(int(more))
            case _:
                held.keep()
                return answer
        return ""

"""What a person types: on a terminal with history, editing and completion, from a pipe line by line.

`!multi` begins words of many lines, `!end` ends them; what is pasted keeps its lines anyway.
"""

import asyncio
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.key_processor import KeyPressEvent
from prompt_toolkit.output import Output

from reasoner.repl.printable import printable

_BEGIN, _END = "!multi", "!end"
_PROMPT, _MORE = "> ", "… "


class Reader(Protocol):
    async def line(self, prompt: str, default: str = "") -> str:
        """One line, or what was pasted. Raises EOFError at the end, KeyboardInterrupt at Ctrl-C."""
        ...


async def words(reader: Reader, default: str = "") -> str:
    """What is said next; of many lines between `!multi` and `!end`. Raises as a reader does."""
    line = await reader.line(_PROMPT, default)
    if line.strip() != _BEGIN:
        return line
    lines: list[str] = []
    while (line := await reader.line(_MORE)).strip() != _END:
        lines.append(line)
    return "\n".join(lines)


class PipeReader:
    """Lines of a stream, each shown as it is read, so that what is written reads as a conversation."""

    def __init__(self, stream: TextIO, echo: TextIO) -> None:
        self._stream, self._echo = stream, echo

    async def line(self, prompt: str, default: str = "") -> str:
        line = await asyncio.to_thread(self._stream.readline)
        if not line:
            raise EOFError
        text = _whole(line.rstrip("\r\n").removeprefix("\ufeff"))
        self._echo.write(f"{prompt}{printable(text)}\n")
        self._echo.flush()
        return text


class TerminalReader:
    """prompt_toolkit's line, with its history in a file; Alt-Enter begins a new line."""

    def __init__(
        self, history: Path | None, commands: Sequence[str], source: Input | None = None, to: Output | None = None
    ) -> None:
        kept = FileHistory(str(history)) if history else InMemoryHistory()
        self._session: PromptSession[str] = PromptSession(
            history=kept,
            completer=_Completer(commands),
            complete_while_typing=False,
            enable_open_in_editor=True,
            key_bindings=_keys(),
            prompt_continuation=_MORE,
            input=source,
            output=to,
        )

    async def line(self, prompt: str, default: str = "") -> str:
        return _whole(await self._session.prompt_async(prompt, default=default))


def _whole(text: str) -> str:
    """Without halves of characters, which bytes that are no UTF-8 leave behind, and without NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _keys() -> KeyBindings:
    """Alt-Enter begins a new line."""
    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    return keys


class _Completer(Completer):
    """Commands at the beginning of a line, paths after `@`."""

    def __init__(self, commands: Sequence[str]) -> None:
        self._commands = commands
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        before = document.text_before_cursor
        if before.startswith("/") and " " not in before:
            for name in self._commands:
                if name.startswith(before):
                    yield Completion(name, start_position=-len(before))
            return
        word = before.rsplit(maxsplit=1)[-1] if before and not before[-1].isspace() else ""
        if word.startswith("@"):
            yield from self._paths.get_completions(Document(word[1:]), complete_event)


def nearest(name: str, names: Iterable[str]) -> str:
    """The known name that is closest to `name`, empty when none is close."""
    return next(iter(difflib.get_close_matches(name, list(names), 1)), "")

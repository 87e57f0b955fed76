"""A program in a terminal, and what a person would see of it: a pseudo-terminal whose far end is an emulated screen."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

_ROWS = 1000
_FAINT = "7f7f7f"


class _Screen(pyte.HistoryScreen):
    """One that knows faint letters, as grey ones."""

    def select_graphic_rendition(self, *attributes: int, **flags: bool) -> None:
        super().select_graphic_rendition(*attributes, **flags)
        if attributes[:1] == (2,):
            self.cursor.attrs = self.cursor.attrs._replace(fg=_FAINT)


class Terminal:
    """`rows` of the screen are all that the program is told of; what scrolls away above stays readable."""

    def __init__(self, command: Sequence[str], columns: int = 80, rows: int = 24, **variables: str) -> None:
        self.columns, self.rows = columns, rows
        self._screen = _Screen(columns, rows, history=_ROWS, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self.began = time.monotonic()
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", **variables}
            for name in ("COLUMNS", "LINES", "NO_COLOR"):
                environment.pop(name, None)
            os.execvpe(command[0], [*command], environment)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self._file)

    @property
    def lines(self) -> list[str]:
        """All rows, the ones that scrolled away first, without what trails."""
        return [text.plain for text in self.texts()]

    def texts(self) -> list[Text]:
        """The same with colours."""
        rows = [*self._screen.history.top, *(self._screen.buffer[y] for y in range(self.rows))]
        texts = [_text(row, self.columns) for row in rows]
        while texts and not texts[-1].plain:
            texts.pop()
        return texts

    def type(self, words: str) -> None:
        os.write(self._file, words.encode() + b"\r")

    def press(self, keys: bytes) -> None:
        os.write(self._file, keys)

    def read(self, seconds: float) -> bool:
        """Take in what came within so long; False once the program has ended."""
        if select.select([self._file], [], [], seconds)[0]:
            try:
                self._stream.feed(os.read(self._file, 65536))
            except OSError:
                return False
        return True

    def until(self, seen: Callable[[list[str]], bool], seconds: float = 120.0) -> float:
        """Seconds until the screen is such. Raises TimeoutError with the screen."""
        begun = time.monotonic()
        while not seen(self.lines):
            if time.monotonic() - begun > seconds or not self.read(0.05):
                raise TimeoutError(f"after {seconds:g} s the screen is\n" + "\n".join(self.lines))
        return time.monotonic() - begun

    def rest(self, seconds: float) -> None:
        """Go on reading for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self.read(left):
            pass


def picture(texts: Sequence[Text], columns: int, title: str) -> str:
    """Those rows as an SVG."""
    console = Console(width=columns, record=True, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    for text in texts:
        console.print(text, no_wrap=True)
    return console.export_svg(title=title)


def _text(row: Mapping[int, pyte.screens.Char], columns: int) -> Text:
    text = Text()
    for x in range(columns):
        cell = row[x]
        text.append(cell.data, Style(color=_colour(cell.fg), bold=cell.bold, italic=cell.italics))
    text.rstrip()
    return text


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    if len(name) == 6 and all(c in "0123456789abcdef" for c in name):
        return f"#{name}"
    return {"brown": "yellow"}.get(name, name.replace("bright", "bright_").replace("bright_brown", "bright_yellow"))

"""The search as single lines, for pipes, logs and terminals that cannot move their cursor."""

from types import TracebackType
from typing import TextIO

from reasoner.repl.board import Board
from reasoner.repl.story import Story
from reasoner.trace import Began, Event, Resumed


class PlainView:
    """A listener, called after its board; a context manager only so that it can stand where `LiveView` stands."""

    def __init__(self, board: Board, out: TextIO) -> None:
        self._board = board
        self._story = Story(board)
        self._out = out

    def __enter__(self) -> "PlainView":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._out.flush()

    def hold(self) -> None:
        """There is nothing to stop: a line stays where it is."""

    def resume(self) -> None:
        """There is nothing to begin."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, Began):
            self._say(f"core {event.core}, sandbox {event.level}")
        if isinstance(event, Resumed):
            self._say(f"goes on after {len(self._board.attempts)} attempts, sandbox {event.level}")
        for line in self._story(event):
            self._say(line.text)

    def _say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()

"""Which view stderr gets: a live one on a terminal, single lines elsewhere, none with --quiet."""

import sys
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console

from reasoner.models.progress import Progress, Silent
from reasoner.repl.asking import AskView
from reasoner.repl.board import Board
from reasoner.repl.downloads import Bars, Lines
from reasoner.repl.live import LiveView
from reasoner.repl.plain import PlainView
from reasoner.repl.progress import RunBar, RunLines, RunSilence, Tally
from reasoner.repl.teaching import TeachingBar, TeachingLines, TeachingSilence
from reasoner.trace import Event, Listener


class Screen:
    """Stderr, as it is when the screen is made. Rich honours NO_COLOR and TERM by itself."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        self._live = sys.stderr.isatty() and not self._console.is_dumb_terminal

    @property
    def width(self) -> int | None:
        """Of a line that fits; None where nobody sees lines broken: a file, a pipe."""
        return self._console.width if self._console.is_terminal else None

    def progress(self) -> AbstractContextManager[Progress]:
        """For what comes before a search: fetching and loading."""
        if self._quiet:
            return nullcontext(Silent())
        return Bars(self._console) if self._live else Lines(sys.stderr)

    def search(self, board: Board) -> AbstractContextManager[Listener]:
        """For the search; the view is to be called after `board`."""
        if self._quiet:
            return nullcontext(_nobody)
        return LiveView(board, self._console) if self._live else PlainView(board, sys.stderr)

    def run(self, tally: Tally) -> RunBar | RunLines | RunSilence:
        """For a run of many tasks."""
        if self._quiet:
            return RunSilence()
        return RunBar(tally, self._console) if self._live else RunLines(tally, sys.stderr)

    def teaching(self) -> TeachingBar | TeachingLines | TeachingSilence:
        """For a training."""
        if self._quiet:
            return TeachingSilence()
        return TeachingBar(self._console) if self._live else TeachingLines(sys.stderr)

    def asking(self) -> Listener:
        """For a question: what is thought, as it is written."""
        return _nobody if self._quiet else AskView(self._console)

    def say(self, line: str) -> None:
        """A line that stays, unless nobody wants to be told."""
        if not self._quiet:
            print(line, file=sys.stderr)


def _nobody(event: Event) -> None:
    pass

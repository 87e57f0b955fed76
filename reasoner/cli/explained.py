"""How a command line is read: flags spelt in full, an error in one sentence, and help that is made when it is shown."""

import argparse
import sys
import textwrap
from collections.abc import Callable, Mapping
from typing import NoReturn

from reasoner.cli.exits import MISUSE

_NAME = 11
_WIDTH = 64


class Parser(argparse.ArgumentParser):
    """Help is shown as written, an error is one sentence, and flags are spelt in full: a new one breaks no script."""

    def __init__(self, **settings: object) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**settings, allow_abbrev=False)  # type: ignore[arg-type]
        self._explained: list[tuple[str, Callable[[], Mapping[str, str]]]] = []

    def explain(self, title: str, words: Callable[[], Mapping[str, str]]) -> None:
        """Add a list of names, each with a line, to the help. `words` is called when the help is shown, so that what it
        imports is not loaded before."""
        self._explained.append((title, words))

    def format_help(self) -> str:
        while self._explained:
            title, words = self._explained.pop(0)
            self.add_argument_group(title, "\n".join(_entry(name, line) for name, line in words().items()))
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(MISUSE)


def _entry(name: str, line: str) -> str:
    return textwrap.fill(line, _WIDTH + _NAME + 2, initial_indent=f"  {name:<{_NAME - 1}} ", subsequent_indent=" " * 13)

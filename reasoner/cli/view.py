"""`reasoner view`: the search of one task as a page that opens from disk."""

import argparse
import sys
from pathlib import Path

from reasoner.cli.exits import SOLVED
from reasoner.cli.records import find, store
from reasoner.report import aside
from reasoner.report.view import page, spelling_of
from reasoner.trace import read


def run(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.traces).expanduser() if arguments.traces else store()
    path = find(arguments.trace, folder)
    trace = read(path)
    spelling = spelling_of(trace, Path(arguments.tokenizer) if arguments.tokenizer else None)
    to = arguments.output or Path(f"{path.stem}.html")
    text = page(trace, spelling)
    with aside(to, "place with -o") as new:
        new.write_text(text, encoding="utf-8")
    if spelling is None:
        print(f"{trace.began.core} is not here, so tokens are numbers: give --tokenizer DIR", file=sys.stderr)
    print(to)
    return SOLVED

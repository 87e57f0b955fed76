"""`reasoner report`: what runs came to, as tables here and as a page."""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from reasoner.cli.exits import SOLVED
from reasoner.errors import ConfigError
from reasoner.repl.printable import printable
from reasoner.report import Table, aside, page, read_runs, tables, write_samples

_SEED = 20240731
"""Of the resampling, so that a report is the same twice."""


def run(arguments: argparse.Namespace) -> int:
    for flag, given in (("--samples", arguments.samples), ("--inspect", arguments.inspect)):
        if given and len(arguments.runs) > 1:
            raise ConfigError(f"{flag} takes one run, and {len(arguments.runs)} are given: name one DIR")
    runs = read_runs(arguments.runs)
    found = list(tables(runs, chance))
    if arguments.json:
        print(json.dumps({"tables": [table.json() for table in found]}, allow_nan=False))
    else:
        show(found)
    if arguments.samples:
        count = write_samples(arguments.runs[0], arguments.samples)
        print(f"samples {count} in {arguments.samples}", file=sys.stderr)
    if arguments.inspect:
        count = _logged(arguments.runs[0], arguments.inspect)
        print(f"log {count} samples in {arguments.inspect}", file=sys.stderr)
    if arguments.html:
        from reasoner.report.charts import charts

        text = page(runs, found, charts(runs, chance))
        with aside(arguments.html, "--html") as new:
            new.write_text(text, encoding="utf-8")
        print(f"page {arguments.html}", file=sys.stderr)
    return SOLVED


def chance() -> np.random.Generator:
    return np.random.default_rng(_SEED)


def show(found: Sequence[Table]) -> None:
    """On stdout, within the terminal's width; names from outside are printable text and never markup."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
    console = Console(highlight=False, width=width)
    for table in found:
        console.print(Text(table.title, "bold"))
        grid = Grid(box=None, pad_edge=False, show_edge=False, header_style="dim")
        for index, name in enumerate(table.header):
            grid.add_column(Text(printable(name)), overflow="fold", min_width=1 if index else 2)
        for row in table.rows:
            grid.add_row(*(Text(printable(str(cell)).replace("\n", " ")) for cell in row))
        console.print(grid)
        if table.note:
            console.print(Text(table.note, "dim"))
        console.print()


def _logged(run: Path, to: Path) -> int:
    try:
        from reasoner.report.evallog import write_log
    except ImportError as error:
        raise ConfigError(
            f"--inspect needs inspect_ai ({error}): pip install 'reasoner[inspect]', or leave --inspect out"
        ) from error
    return write_log(run, to)

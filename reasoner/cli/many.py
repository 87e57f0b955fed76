"""The commands for questions, for many tasks, for reports and for the picture of one search, as they can be typed."""

import argparse
from pathlib import Path
from typing import Any

from reasoner.cli import flags
from reasoner.cli.exits import TABLE
from reasoner.cli.explained import Parser

_ASK = """\
Ask a question: the model thinks, runs the Python that it writes in a closed
sandbox, reads what it prints, and answers. The answer goes to stdout, the
thinking to stderr as it is written. Text that is piped in belongs to the
question."""

_ASK_EXAMPLES = """\
examples:
  reasoner ask "How many days lie between 2024-02-10 and 2024-03-10?"
  reasoner ask "What is the mean of the second column?" < table.csv
  reasoner ask "…" --strategy best_of_n --attempts 8 --json

"""

_RUN = """\
Do many tasks: write what became of each into a directory, a line a task, and
a trace of every search. Run the same command again to go on after Ctrl-C, a
crash or kill -9: nothing is done twice, and nothing is lost.

PROBLEMS is a JSONL file (our own schema, HumanEval, MBPP, questions such as
GSM8K's, or chat messages) or a directory that holds tasks' directories. DIR
then holds results.jsonl, config.json, summary.json and traces/."""

_RUN_EXAMPLES = """\
examples:
  reasoner run mbpp.jsonl -o runs/mbpp --limit 50 --workers 8
  reasoner run gsm8k.jsonl -o runs/gsm --shuffle 1 --limit 200 --epochs 4
  reasoner run exercises/ -o runs/ex --strategy best_of_n --tokens 20k
  reasoner run gsm8k.jsonl -o runs/gsm --ray auto
  reasoner report runs/mbpp

exit codes:
    0  all tasks are done, whatever they came to
    2  a flag or a setting cannot be used; or all is done, but some tasks
       could not be used
    4  some tasks failed because something around us did: run it again
  130  stopped with Ctrl-C: run it again to go on"""

_READING = """\
exit codes:
    0  done
    2  a flag cannot be used, or what is given is not there
    4  a record cannot be read, or a file cannot be written
  130  stopped with Ctrl-C"""

_REPORT = """\
Say what runs came to: tables here, and with --html one page with figures that
opens from disk (figures need the extra: pip install 'reasoner[report]').
Several directories are compared with the first, paired by task."""

_REPORT_EXAMPLES = (
    """\
examples:
  reasoner report runs/mbpp
  reasoner report runs/single runs/rewind --html report.html
  reasoner report runs/humaneval --samples samples.jsonl
  reasoner report runs/gsm --inspect logs/gsm.eval

"""
    + _READING
)

_VIEW = """\
Show the search of one task as a page: its tree with the way to the answer,
steps back, code with what its tests said, tokens with their likelihoods, and
tokens over time. One file that opens from disk and asks nobody for anything.

TRACE is the path of a record, or a part of its name ('reasoner resume' lists
them; 'reasoner run' keeps them in DIR/traces)."""

_VIEW_EXAMPLES = (
    """\
examples:
  reasoner view d27a                writes NAME.html here
  reasoner view runs/mbpp/traces/17-4523f1.e0.1.jsonl -o tree.html

"""
    + _READING
)


def add(commands: "argparse._SubParsersAction[Any]") -> None:
    _ask(commands.add_parser("ask", help="ask a question", description=_ASK, epilog=_ASK_EXAMPLES + TABLE))
    _run(commands.add_parser("run", help="do many tasks, resumably", description=_RUN, epilog=_RUN_EXAMPLES))
    _report(commands.add_parser("report", help="say what runs came to", description=_REPORT, epilog=_REPORT_EXAMPLES))
    _view(commands.add_parser("view", help="show a search as a page", description=_VIEW, epilog=_VIEW_EXAMPLES))


def _ask(parser: Parser) -> None:
    parser.usage = 'reasoner ask "QUESTION" [flags]'
    parser.set_defaults(command="ask")
    parser.add_argument(
        "question", metavar="QUESTION", nargs="?", type=flags.words, help="what is asked; or pipe it in"
    )
    flags.core(parser)
    flags.search(parser)
    flags.budget(parser)
    flags.json(flags.place(parser))


def _run(parser: Parser) -> None:
    parser.usage = "reasoner run PROBLEMS -o DIR [flags]"
    parser.set_defaults(command="run")
    parser.add_argument("path", metavar="PROBLEMS", type=Path, help="a JSONL file, or a directory of tasks")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="where the results go")
    tasks = parser.add_argument_group("which tasks")
    tasks.add_argument("--filter", metavar="REGEX", default="", help="those whose id has it")
    tasks.add_argument("--shuffle", metavar="SEED", type=int, help="in an order drawn with this seed")
    tasks.add_argument("--limit", metavar="N", type=_positive, help="the first N of them")
    tasks.add_argument("--epochs", metavar="K", type=_positive, default=1, help="each K times, with other seeds")
    tasks.add_argument(
        "--visible", choices=("all", "first"), default="all", help="tests that may guide; the whole suite grades"
    )
    tasks.add_argument("--skip-bad", action="store_true", help="leave out lines that cannot be used, and say which")
    flags.core(parser)
    flags.search(parser)
    budget = flags.budget(parser)
    budget.add_argument(
        "--run-tokens",
        metavar="N",
        type=flags.count,
        help="tokens of the whole run: once they are spent no task begins, and the same command with more goes on",
    )
    place = flags.place(parser, traces=False)
    place.add_argument(
        "--workers", metavar="N", type=_positive, help="tasks in flight (default: what keeps the core busy)"
    )
    place.add_argument(
        "--ray", metavar="ADDRESS", default="", help="on the nodes of a Ray cluster: host:port, auto, or local"
    )
    place.add_argument("--force-new", action="store_true", help="begin anew; an earlier run is kept beside it")
    flags.json(place)


def _report(parser: Parser) -> None:
    parser.usage = "reasoner report DIR… [flags]"
    parser.set_defaults(command="report")
    parser.add_argument("runs", metavar="DIR", nargs="+", type=Path, help="what 'reasoner run' wrote")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with tables and figures")
    parser.add_argument("--samples", metavar="FILE", type=Path, help="write the solutions as evalplus reads them")
    parser.add_argument(
        "--inspect", metavar="FILE", type=Path, help="write a log as inspect_ai reads it: FILE.eval or FILE.json"
    )
    flags.json(parser)


def _view(parser: Parser) -> None:
    parser.usage = "reasoner view TRACE [flags]"
    parser.set_defaults(command="view")
    parser.add_argument("trace", metavar="TRACE", help="a record's path, or a part of its name")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="the page (default: NAME.html here)")
    parser.add_argument("--tokenizer", metavar="DIR", help="the model's tokenizer, where the model is not here")
    parser.add_argument("--traces", metavar="DIR", help="where the records are")


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)

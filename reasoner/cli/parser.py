"""What can be typed: commands, flags, and the help that explains them. Nothing is looked up or loaded here."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from reasoner.cli import chatting, flags, many, replaying, teaching
from reasoner.cli.exits import TABLE
from reasoner.cli.explained import Parser

_TOP = """\
Solve coding tasks with a small model on your own machine: it thinks, tries,
reads what the tests say, steps back, and tries again until they pass or the
budget is spent."""

_EXAMPLES = """\
examples:
  reasoner doctor                   what this machine can do, what to do next
  reasoner solve examples/last_word  solve a task, show the solution as a diff
  reasoner solve . --write          solve it and put the solution in place
  reasoner ask "What is 17 % of 2,340?"
  reasoner run mbpp.jsonl -o runs/1  do many tasks; reasoner report runs/1
  reasoner models pull 0.5b         fetch the default model now

'reasoner COMMAND --help' explains a command.

"""

_SOLVE = """\
Solve one coding task: write code, run its tests in a closed sandbox, and go
on until they all pass or the budget is spent.

PATH is a directory that holds the task's text (TASK.md, README.md or
instructions.md; or give --task), its files and its tests; or a JSONL file of
records (HumanEval, MBPP, or our own schema), of which --task-id names one.

The solution goes to stdout, as a diff against the task's files; what is
done, how it was verified and what it cost goes to stderr."""

_SOLVE_EXAMPLES = """\
examples:
  reasoner solve examples/last_word
  reasoner solve . --task "accept empty lines" --tests "pytest -q" --write
  reasoner solve mbpp.jsonl --task-id 17 --tokens 20k --json
  reasoner solve . --url http://localhost:8000/v1 --model qwen2.5-coder-7b

"""

_RESUME = """\
Go on with a search that was suspended because its budget was spent, or that
Ctrl-C, a crash or kill -9 broke off. Its record says all: the tree goes on
growing from where it was, with the same model and settings, in the same file;
what was spent before counts.

TRACE is the path of a record, or a part of its name; without it, all that
were recorded are listed, newest first."""

_RESUME_EXAMPLES = """\
examples:
  reasoner resume                   what there is
  reasoner resume d27a --add 20k    the search whose name has d27a in it
  reasoner resume runs/x.jsonl --add-time 5m --write

"""

_MODELS = """\
Models: which are known, which are here, and where. They are kept in
$REASONER_HOME, by default ~/.cache/reasoner."""

_SANDBOX = """\
The sandbox in which a model's code runs: a Docker container, or bubblewrap
where no Docker engine answers."""

_DOCTOR = """\
Say what this machine can do: Python, torch, memory, disk, GPU, sandbox and
models; and what to do next. Exit code 0 when a task can be solved here."""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read a command line; `command` names the module of `reasoner.cli` that runs it.

    Raises:
        SystemExit: help was asked for (0), or the line makes no sense (2).
    """
    parser = Parser(prog="reasoner", description=_TOP, epilog=_EXAMPLES + TABLE)
    parser.add_argument("--version", action=_Version, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    _solve(commands.add_parser("solve", help="solve a coding task", description=_SOLVE, epilog=_SOLVE_EXAMPLES + TABLE))
    _resume(
        commands.add_parser("resume", help="go on with a search", description=_RESUME, epilog=_RESUME_EXAMPLES + TABLE)
    )
    many.add(commands)
    chatting.add(commands)
    teaching.add(commands)
    replaying.add(commands)
    _models(commands.add_parser("models", help="list, fetch and find models", description=_MODELS))
    _sandbox(commands.add_parser("sandbox", help="build, probe and clean the sandbox", description=_SANDBOX))
    doctor = commands.add_parser("doctor", help="say what this machine can do", description=_DOCTOR)
    doctor.set_defaults(command="doctor")
    flags.json(doctor)
    return parser.parse_args(argv)


def _solve(parser: Parser) -> None:
    parser.usage = "reasoner solve PATH [flags]"
    parser.set_defaults(command="solve")
    parser.add_argument("path", metavar="PATH", type=Path, help="a task's directory, or a JSONL file of tasks")

    task = parser.add_argument_group("the task")
    task.add_argument(
        "--task", metavar="TEXT", type=flags.words, help="what is to be done, instead of the directory's own text"
    )
    task.add_argument("--tests", metavar="CMD", help='how the tests are run, for example "pytest -q tests/test_x.py"')
    task.add_argument("--task-id", metavar="ID", help="which record of a JSONL file")

    flags.core(parser)
    flags.search(parser)
    flags.budget(parser)
    place = flags.place(parser)
    place.add_argument("--write", action="store_true", help="put the solution into PATH instead of showing a diff")
    flags.json(place)


def _resume(parser: Parser) -> None:
    parser.usage = "reasoner resume [TRACE] [flags]"
    parser.set_defaults(command="resume")
    parser.add_argument("trace", metavar="TRACE", nargs="?", help="a record's path, or a part of its name")
    more = parser.add_argument_group("more budget")
    more.add_argument("--add", metavar="N", type=flags.count, help="tokens, for example 20k")
    more.add_argument("--add-time", metavar="S", type=flags.seconds, help="seconds, for example 90 or 5m")
    more.add_argument("--add-cpu", metavar="S", type=flags.seconds, help="CPU seconds of tools")
    more.add_argument("--add-money", metavar="X", type=flags.money, help="money")
    place = parser.add_argument_group("where and how")
    place.add_argument("--url", metavar="URL", help="the server of its model, where that has moved")
    place.add_argument("--sandbox", choices=("auto", "docker", "bubblewrap"), help="default: as it was begun")
    place.add_argument("--write", action="store_true", help="put the solution into the task's directory")
    place.add_argument("--traces", metavar="DIR", help="where the records are")
    place.add_argument("--quiet", action="store_true", help="print the result and errors, nothing else")
    flags.json(place)


def _models(parser: Parser) -> None:
    parser.set_defaults(command="models")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    listing = actions.add_parser("list", help="which models are known, and which are here")
    pull = actions.add_parser("pull", help="fetch a model, verify and convert it", epilog="example: models pull 0.5b")
    path = actions.add_parser("path", help="print the directory of a model that is here")
    for named in (pull, path):
        named.add_argument("name", metavar="NAME", nargs="?", help="of 'models list'; default: the default model")
    for action in (listing, pull, path):
        flags.json(action)


def _sandbox(parser: Parser) -> None:
    parser.set_defaults(command="sandbox")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    build = actions.add_parser("build", help="build the Docker image, from a registry's or from this Python")
    build.add_argument(
        "--base", metavar="IMAGE", default="", help="a registry's image with Python, such as python:3.12"
    )
    build.add_argument("--site", metavar="DIR", default="", help="where that image's Python looks for packages")
    probe = actions.add_parser("probe", help="try the sandboxes for real and say how well they close")
    prune = actions.add_parser("prune", help="remove what a killed run left: containers and folders")
    for action in (build, probe, prune):
        flags.json(action)


class _Version(argparse.Action):
    """Looks the version up when it is asked for: that takes longer than all the rest of the help."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"reasoner {version('reasoner')}")
        raise SystemExit(0)

"""The commands that make training data and train, as they can be typed."""

import argparse
from pathlib import Path
from typing import Any

from reasoner.cli import flags
from reasoner.cli.exits import TABLE
from reasoner.cli.explained import Parser

_EXPORT = """\
Make training rows of recorded searches: verified branches, recoveries from
failed ones, better and worse ways, what places are worth. Token ids and masks
come straight from the records; what the runtime forced is never learnt.

Or, with --merged, write an adapter and its model as one plain Hugging Face
directory that any server loads."""

_EXPORT_EXAMPLES = """\
examples:
  reasoner export runs/mbpp -o rows.jsonl --measured mbpp_test.jsonl
  reasoner export runs/mbpp --format dpo --split train -o pairs.jsonl
  reasoner export --merged served --adapter taught

formats:
  sft        input_ids and labels (-100 is not learnt), for `train sft`
  messages   conversations, control tokens spelt out, for other trainers
  dpo        prompt, chosen, rejected, for `train dpo`
  steps      what each step is worth, with visits, for `train reward`

"""

_TRAIN = """\
Train on rows of `reasoner export`: low-rank adapters, and the rows of the
control tokens. Ctrl-C stops between two steps; the same command goes on from
there and ends in the same numbers. Needs: pip install 'reasoner[train]'."""

_REWARD = """\
Fit a reward head for an adapter: what a solution, or a step, is worth, read
from the model's own last state. The model stays as it is; its states are kept,
so that an interrupted reading goes on. The adapter must have been trained by
the model that the rows are of. Use it with --verifiers or --guide."""

_TRAIN_EXAMPLES = """\
examples:
  reasoner train sft rows.jsonl -o taught
  reasoner train dpo pairs.jsonl --from taught -o preferred
  reasoner train reward steps.jsonl --head outcome --on taught

"""


_FLYWHEEL = """\
Let a model learn from its own searches: search tasks, make rows of what
passed and of how failures were recovered from, train an adapter on all rows
so far, and check it on tasks that are held out, beside the core it came from,
at the same tokens a task: both try until the budget is spent. It is promoted
only when it is surely better and computed no more than a tenth more; then it
searches for the next generation.

Run the same command again to go on after Ctrl-C or kill -9, at any stage.
DIR/N/generation.json keeps where each core comes from and what the gate said.
Needs: pip install 'reasoner[train]'."""

_FLYWHEEL_EXAMPLES = """\
examples:
  reasoner flywheel mbpp_train.jsonl --held-out mbpp_validation.jsonl \\
      --visible first -o wheel
  reasoner flywheel tasks.jsonl -o wheel --generations 3 --searches 2 --use
  reasoner report wheel/checks/*

"""


def add(commands: "argparse._SubParsersAction[Any]") -> None:
    _export(
        commands.add_parser(
            "export",
            help="make training rows of records",
            description=_EXPORT,
            epilog=_EXPORT_EXAMPLES + TABLE,
        )
    )
    _train(
        commands.add_parser("train", help="teach a model from rows", description=_TRAIN, epilog=_TRAIN_EXAMPLES + TABLE)
    )
    _flywheel(
        commands.add_parser(
            "flywheel",
            help="let a model learn from its searches",
            description=_FLYWHEEL,
            epilog=_FLYWHEEL_EXAMPLES + TABLE,
        )
    )


def _export(parser: Parser) -> None:
    parser.usage = "reasoner export TRACES... -o FILE [flags]\n       reasoner export --merged DIR --adapter DIR"
    parser.set_defaults(command="export")
    parser.add_argument("traces", metavar="TRACES", nargs="*", type=Path, help="traces, or folders of them")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where the rows go")
    parser.add_argument(
        "--format", choices=("sft", "messages", "dpo", "steps"), default="sft", help="see below (default: sft)"
    )
    parser.add_argument("--model", metavar="NAME", help="whose tokenizer made the traces (default: the default model)")
    rows = parser.add_argument_group("which rows")
    rows.add_argument(
        "--split",
        choices=("all", "train", "check"),
        default="all",
        help="by the task's id: nine in ten, or the tenth that checks",
    )
    rows.add_argument("--without", metavar="ID", action="append", default=[], help="leave this task out")
    rows.add_argument(
        "--measured", metavar="FILE", action="append", default=[], type=Path, help="keep its tasks out of the rows"
    )
    rows.add_argument("--tasks", metavar="FILE", type=Path, help="where the answers to questions are")
    _which(rows)
    rows.add_argument("--seed", metavar="N", type=int, default=0, help="which rows --rows draws (default: 0)")
    merged = parser.add_argument_group("a plain model")
    merged.add_argument("--merged", metavar="DIR", type=Path, help="write the model with its adapter there")
    merged.add_argument("--adapter", metavar="DIR", type=Path, help="of `reasoner train`")
    parser.add_argument("--quiet", action="store_true", help="print the result and errors, nothing else")
    flags.json(parser)


def _which(group: argparse._ArgumentGroup) -> None:
    """How many rows, and how long."""
    group.add_argument("--context", metavar="N", type=flags.count, help="longest row (default: the model's own)")
    group.add_argument("--each", metavar="N", type=flags.count, default=1, help="of one kind of a task (default: 1)")
    group.add_argument("--rows", metavar="N", type=flags.count, default=0, help="in all, drawn (default: all)")


def _train(parser: Parser) -> None:
    parser.set_defaults(command="train")
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True, parser_class=Parser)
    sft = kinds.add_parser("sft", help="imitate what passed", description=_TRAIN)
    dpo = kinds.add_parser("dpo", help="prefer the better of two ways", description=_TRAIN)
    reward = kinds.add_parser("reward", help="fit a reward head", description=_REWARD)
    for one in (sft, dpo, reward):
        one.add_argument("data", metavar="ROWS", type=Path, help="of `reasoner export`")
        one.add_argument("--model", metavar="NAME", help="what is trained (default: the default model)")
        one.add_argument("--seed", metavar="N", type=int, default=0, help="default: 0")
        _where(one)
        one.add_argument("--quiet", action="store_true", help="print the result and errors, nothing else")
        flags.json(one)
    for one in (sft, dpo):
        one.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="where the adapter goes")
        one.add_argument("--from", dest="parent", metavar="DIR", type=Path, help="the adapter to begin from")
        _how(one)
    _rank(sft)
    dpo.add_argument("--beta", metavar="B", type=float, default=0.1, help="how near to the reference (default: 0.1)")
    reward.add_argument("--head", metavar="NAME", required=True, help="what it is called: `reward:NAME`, `step:NAME`")
    reward.add_argument(
        "--kind",
        dest="looks",
        choices=("outcome", "step"),
        default="outcome",
        help="what it looks at: a solution, or every step (default: outcome)",
    )
    reward.add_argument("--on", metavar="DIR", type=Path, required=True, help="the adapter that it is for")


def _flywheel(parser: Parser) -> None:
    parser.usage = "reasoner flywheel PROBLEMS -o DIR [flags]"
    parser.set_defaults(command="flywheel", kind="sft")
    parser.add_argument("path", metavar="PROBLEMS", type=Path, help="what is searched: a JSONL file, or a directory")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="where all of it goes")
    parser.add_argument("--generations", metavar="N", type=flags.count, default=1, help="in all (default: 1)")
    parser.add_argument("--use", action="store_true", help="use what is promoted with this model from now on")
    tasks = parser.add_argument_group("which tasks")
    tasks.add_argument(
        "--held-out", metavar="FILE", type=Path, help="what is measured on (default: one problem in ten)"
    )
    tasks.add_argument(
        "--measured", metavar="FILE", action="append", default=[], type=Path, help="learn from none of its tasks either"
    )
    tasks.add_argument(
        "--worked", metavar="FILE", type=Path, help="tasks with a `solution` beside: those that pass are learnt too"
    )
    tasks.add_argument("--limit", metavar="N", type=flags.count, help="search the first N")
    tasks.add_argument("--check", metavar="N", type=flags.count, help="measure on N of them, drawn by --seed")
    tasks.add_argument(
        "--searches", metavar="K", type=flags.count, default=1, help="of each task in each generation (default: 1)"
    )
    tasks.add_argument(
        "--checks",
        metavar="K",
        type=flags.count,
        default=1,
        help="of each held-out task, with other seeds (default: 1)",
    )
    tasks.add_argument(
        "--visible", choices=("all", "first"), default="all", help="tests that may guide; the whole suite grades"
    )
    check = parser.add_argument_group("how cores are held against each other")
    check.add_argument("--check-strategy", metavar="NAME", default="auto", help="default: auto")
    check.add_argument("--check-attempts", metavar="N", type=flags.count, default=1000, help="at most (default: 1000)")
    check.add_argument(
        "--check-tokens", metavar="N", type=flags.count, default=500, help="of each task, for both (default: 500)"
    )
    _which(parser.add_argument_group("which rows"))
    _rank(parser)
    _how(parser)
    _where(parser)
    flags.core(parser)
    flags.search(parser)
    flags.budget(parser)
    place = flags.place(parser, traces=False)
    place.add_argument("--workers", metavar="N", type=flags.count, help="tasks in flight")
    flags.json(place)


def _rank(parser: Parser) -> None:
    parser.add_argument("--rank", metavar="N", type=flags.count, default=8, help="of the adapters (default: 8)")


def _where(parser: Parser) -> None:
    group = parser.add_argument_group("where it is computed")
    group.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    group.add_argument(
        "--dtype", choices=("auto", "bfloat16", "float32"), default="auto", help="of the frozen weights (default: auto)"
    )
    group.add_argument("--threads", metavar="N", type=flags.count, help="CPU threads")


def _how(parser: Parser) -> None:
    how = parser.add_argument_group("how it is trained")
    how.add_argument(
        "--epochs", metavar="N", type=flags.count, default=2, help="times that each row is seen (default: 2)"
    )
    how.add_argument("--batch", metavar="N", type=flags.count, default=16, help="rows a step (default: 16)")
    how.add_argument("--rate", metavar="R", type=float, help="highest learning rate")
    how.add_argument("--steps", metavar="N", type=flags.count, default=0, help="end after so many")
    how.add_argument(
        "--at-once", metavar="N", type=flags.count, default=2048, help="tokens in memory at a time (default: 2048)"
    )
    how.add_argument("--keep", metavar="N", type=flags.count, default=20, help="save after so many steps (default: 20)")

"""The command lines of what is done over recorded samples: `replay` and `calibrate`."""

import argparse
from pathlib import Path

from reasoner.cli import flags
from reasoner.cli.explained import Parser

_REPLAY = """\
Say what other policies would have done over recorded samples, at no model
cost: when each would have stopped, with which answer, after how many tokens.
What would have needed samples that were not recorded is said.

RECORD is a trace of independent samples (best_of_n, vote, single), a file of
samples as benchmarks/baseline.py records them, or a folder of either."""

_REPLAY_EXAMPLES = """\
examples:
  reasoner replay runs/baseline/gsm8k-cot.jsonl
  reasoner replay pool.jsonl --policy solved+fixed:16 --budget 1k --budget 4k
  reasoner replay pool.jsonl --policy leads:0.95+fixed:40 --policy fixed:40 \\
      --orders 20 --figure curve.html

policies (a+b stops where the first of both does):
  fixed:N      after N samples
  solved       when all visible tests pass
  leads:P      when the leading answer leads with probability P
  agrees:N     when N answers in a row agree
  calls:N      when more samples would not help a vote, N at most
  gain:W       when another sample costs more than it may bring, at W tokens
               for a right answer
  sure:P       when the answer is right with probability P, as in other tasks"""

_CALIBRATE = """\
Say what a model's scores are worth: from recorded samples of which it is known
whether they are right, how likely each score is right. The file is for
--calibration, with which --confidence means that the answer is right so often.

RECORD is what 'reasoner replay' takes: a trace of independent samples, a file
of samples, or a folder of either. Half of the tasks judge what the other half
says; what is written is fitted on all."""

_CALIBRATE_EXAMPLES = """\
examples:
  reasoner run questions.jsonl -o runs/known --strategy vote --attempts 8 \\
      --verifiers certainty,lowest
  reasoner calibrate runs/known/traces -o sure.json
  reasoner run others.jsonl -o runs/others --verifiers certainty,lowest \\
      --calibration sure.json --confidence 0.9"""


def add(commands: "argparse._SubParsersAction[Parser]") -> None:
    _replay(
        commands.add_parser("replay", help="try policies over records", description=_REPLAY, epilog=_REPLAY_EXAMPLES)
    )
    _calibrate(
        commands.add_parser(
            "calibrate", help="learn what scores are worth", description=_CALIBRATE, epilog=_CALIBRATE_EXAMPLES
        )
    )


def _replay(parser: Parser) -> None:
    parser.usage = "reasoner replay RECORD... [flags]"
    parser.set_defaults(command="replay")
    _records(parser)
    parser.add_argument("--policy", metavar="P", action="append", help="when to stop; again for another line")
    parser.add_argument(
        "--select", metavar="S", help="visible, vote, vote:SOURCE, SOURCE, calibrated or last (default: what fits)"
    )
    parser.add_argument(
        "--budget", metavar="N", action="append", type=flags.count, help="tokens a task; again for another point"
    )
    parser.add_argument(
        "--orders", metavar="N", type=flags.count, default=1, help="orders of the samples, the recorded one first"
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of orders and intervals (default 0)")
    parser.add_argument("--figure", metavar="FILE", type=Path, help="accuracy against tokens, as .svg or .html")
    parser.add_argument("--quiet", action="store_true", help="print the result and errors, nothing else")
    flags.json(parser)


def _calibrate(parser: Parser) -> None:
    parser.usage = "reasoner calibrate RECORD... -o FILE [flags]"
    parser.set_defaults(command="calibrate")
    _records(parser)
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="where to write it")
    parser.add_argument("--quiet", action="store_true", help="print the result and errors, nothing else")
    flags.json(parser)


def _records(parser: Parser) -> None:
    parser.add_argument("records", metavar="RECORD", nargs="+", type=Path, help="a trace, samples, or a folder of them")
    parser.add_argument(
        "--visible", choices=("first", "all"), default="first", help="which tests of a recorded sample are seen"
    )

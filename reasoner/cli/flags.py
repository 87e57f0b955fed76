"""Flags that several commands share, in groups: each sets keys of the Config as `settings` says."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

from reasoner.cli.explained import Parser

EFFORTS = ("low", "medium", "high", "max")


def core(parser: Parser) -> None:
    group = parser.add_argument_group("the model")
    group.add_argument("--model", metavar="NAME", help="of 'reasoner models list', a directory, or a server's model")
    group.add_argument("--core", metavar="NAME", help="the adapter: a name, a path, or 'base' to do without one")
    group.add_argument("--url", metavar="URL", help="ask this OpenAI-compatible server, or several: A,B")
    group.add_argument("--remote", action="store_true", help="ask the server at $OPENAI_BASE_URL")
    group.add_argument("--tokenizer", metavar="DIR", help="the server model's tokenizer, to speak token ids to it")


def search(parser: Parser) -> None:
    group = parser.add_argument_group("the search")
    group.add_argument("--strategy", metavar="NAME", help="one of those below; default: auto")
    group.add_argument("--attempts", metavar="N", type=int, help="attempts at most")
    group.add_argument("--width", metavar="N", type=int, help="attempts that grow at once, at most")
    group.add_argument("--temperature", metavar="T", type=float, help="0 is greedy")
    group.add_argument(
        "--think", action=argparse.BooleanOptionalAction, default=None, help="plan in prose before the code"
    )
    group.add_argument(
        "--terse",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="write most code without comments, for half the tokens (default)",
    )
    group.add_argument(
        "--lessons",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="say why the first attempt failed, and take that along",
    )
    group.add_argument(
        "--verifiers", metavar="NAMES", help="judge by these too: certainty, lowest, judge, behaviour, self_tests"
    )
    group.add_argument("--calibration", metavar="FILE", help="what this model's scores are worth")
    group.add_argument("--guide", metavar="NAME", help="whose scores guide steps and weigh votes")
    group.add_argument("--seed", metavar="N", type=int, help="the same seed grows the same tree")
    parser.explain("strategies", _strategies)


def budget(parser: Parser) -> argparse._ArgumentGroup:
    """A command may add flags of its own to the group."""
    group = parser.add_argument_group("the budget")
    group.add_argument(
        "--effort", metavar="E", choices=EFFORTS, help="one knob for attempts, tokens and confidence: see below"
    )
    group.add_argument("--confidence", metavar="P", type=share, help="stop when this sure, for example 0.9")
    group.add_argument("--stop", metavar="P", help="stop by another policy: agrees:5, leads:0.95, gain:2000")
    group.add_argument("--tokens", metavar="N", type=count, help="tokens that may be computed, for example 20k")
    group.add_argument("--time", metavar="S", type=seconds, help="seconds it may take, for example 90 or 5m")
    group.add_argument(
        "--budget-money", metavar="X", type=money, help="money it may cost, by the prices in the settings"
    )
    parser.explain("efforts", _efforts)
    return group


def place(parser: Parser, *, traces: bool = True) -> argparse._ArgumentGroup:
    """Where and how; a command may add flags of its own to the group. One that has a place for traces asks for none."""
    group = parser.add_argument_group("where and how")
    group.add_argument("--sandbox", choices=("auto", "docker", "bubblewrap"), help="default: auto")
    group.add_argument("--python", metavar="VENV", help="a virtual environment whose packages the code may import")
    group.add_argument(
        "--allow-host", metavar="HOST", action="append", help="let the tool fetch read from it, or from *.HOST"
    )
    group.add_argument("--tools", metavar="DIR", action="append", help="a tool of your own, or a folder of them")
    group.add_argument("--config", metavar="FILE", type=Path, help="a TOML file with settings (flags win over it)")
    if traces:
        group.add_argument("--traces", metavar="DIR", help="where the record of the search goes")
    group.add_argument("--quiet", action="store_true", help="print the result and errors, nothing else")
    return group


def json(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def words(text: str) -> str:
    """Words for a model."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise argparse.ArgumentTypeError(f"{text!r} is not UTF-8 text: send text")
    return text


def share(text: str) -> float:
    """`0.9` or `90%` as a number between 0 and 1."""
    found = re.fullmatch(r"(\d*\.?\d+)\s*(%?)", text.strip())
    number = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0.0 < number < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no confidence: say for example 0.9 or 90%")
    return number


def money(text: str) -> float:
    """`0.5` as an amount above 0."""
    if not re.fullmatch(r"\d*\.?\d+", text.strip()) or not float(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of money: say for example 0.5")
    return float(text)


def count(text: str) -> int:
    """`20000`, `20_000`, `20k` or `1.5M` as a whole number above 0."""
    found = re.fullmatch(r"(\d[\d_]*(?:\.\d+)?)\s*([kKmM]?)", text.strip())
    number = float(found[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[found[2].lower()] if found else 0
    if number < 1 or number != int(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tokens: say for example 20000 or 20k")
    return int(number)


def seconds(text: str) -> float:
    """`90`, `90s`, `5m` or `1h` as seconds above 0."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    number = float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else 0
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: say for example 90, 90s or 5m")
    return number


def _strategies() -> Mapping[str, str]:
    from reasoner.search import purposes

    return purposes()


def _efforts() -> Mapping[str, str]:
    from reasoner.config import EFFORTS

    return {
        name: f"at most {e.attempts} attempts, {e.tokens:,} tokens a task; votes end at {e.confidence:.1%}"
        for name, e in EFFORTS.items()
    }

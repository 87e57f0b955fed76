"""Policies by the names that settings and a command line know: `gain:2000`, `agrees:5+leads:0.95`."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.protocols import StopPolicy
from reasoner.stopping.basic import FirstOf, Solved
from reasoner.stopping.votes import Agrees, Answer, Leads
from reasoner.stopping.worth import Gain


@dataclass(frozen=True)
class Spelling:
    """A policy's number if none is said, the least and the most it may be, and how it is made of that, of the source
    whose keys are votes (empty where there is none), and of what the strategy would answer, where that is known."""

    default: float
    least: float
    most: float
    make: Callable[[float, str, Answer | None], StopPolicy]


SPELLINGS: Mapping[str, Spelling] = {
    "solved": Spelling(0, 0, 0, lambda _, __, ___: Solved()),
    "leads": Spelling(0.95, 0.5, 1, lambda sure, voter, answer: Leads(voter, sure, answer=answer)),
    "agrees": Spelling(5, 2, 1e6, lambda size, voter, answer: Agrees(voter, int(size), answer)),
    "gain": Spelling(2000, 1, 1e9, lambda worth, voter, _: Gain(worth, voter)),
}


def spelt(text: str, voter: str, answer: Answer | None = None, known: Mapping[str, Spelling] = SPELLINGS) -> StopPolicy:
    """The policy of a name; `a+b` stops where the first of both does.

    Raises:
        ConfigError: there is none of that name, or its number makes no sense.
    """
    found = []
    for part in text.split("+"):
        spelling, number = _one(part, known)
        found.append(spelling.make(number, voter, answer))
    return found[0] if len(found) == 1 else FirstOf(found)


def names(known: Mapping[str, Spelling] = SPELLINGS) -> str:
    """The names with their numbers, for help."""
    return ", ".join(f"{name}:{one.default:g}" if one.default else name for name, one in known.items())


def _one(part: str, known: Mapping[str, Spelling]) -> tuple[Spelling, float]:
    name, _, number = part.partition(":")
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"choose of {names(known)}"
        raise ConfigError(f"there is no policy {name!r}: {hint}")
    spelling = known[name]
    try:
        value = float(number) if number else spelling.default
    except ValueError as error:
        say = f"say for example {name}:{spelling.default:g}"
        raise ConfigError(f"{number!r} in the policy {part} is no number: {say}") from error
    if not spelling.least <= value <= spelling.most:
        span = f"between {spelling.least:g} and {spelling.most:g}"
        raise ConfigError(f"the policy {part} cannot be: its number lies {span}")
    return spelling, value

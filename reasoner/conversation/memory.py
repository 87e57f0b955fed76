"""What the core reads of a conversation: all that was said on the way to a place. Once that fills half of its context,
the old turns become a summary that the core writes itself; pinned turns and the latest stay word for word.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from reasoner.completions import Sampling
from reasoner.conversation.turns import Place, Turn
from reasoner.dialect.prompts import prompt
from reasoner.dialect.stepwise import IN_TURN, Stepwise
from reasoner.ledger import Cost
from reasoner.protocols import Core
from reasoner.types import Files, Span, Step

_FULL = 2
"""One part in so many of the context may be used when a turn begins; the rest is for the turn."""
_LATEST = 4
"""One part in so many of the context is for the latest turns, word for word."""
_SUMMARY = 256
"""Tokens of a summary at most."""

Read = tuple[Turn, Place]
"""A turn, and up to where it is read."""


@dataclass(frozen=True)
class Short:
    """Which turns only a summary is to tell of, and which stand word for word."""

    left: tuple[Read, ...]
    kept: tuple[Read, ...]


def history(turns: Mapping[int, Turn], place: Place | None) -> Iterator[Step]:
    """All steps that are read up to a place, the root's first."""
    if place is not None:
        tree = turns[place.turn].tree
        yield from tree[tree.root].steps if place.node != tree.root else tree[tree.root].steps[: place.steps]
        yield from _own(turns[place.turn], place)


def ids(steps: Iterable[Step]) -> list[int]:
    return [i for step in steps for i in step.ids]


def root(dialect: Stepwise, before: Sequence[Step], words: str, files: Files) -> list[Step]:
    """What a turn begins with: all that was said `before` as one piece, of which nothing is this turn's own, and the
    words."""
    if not before:
        return [dialect.said(words, files)]
    if words:
        said = dialect.said(words, files, before[-1].kind)
        return [replace(said, spans=(_forced(before), *said.spans))]
    *past, last = before
    if last.kind in IN_TURN:
        return [_past(past), replace(last, spans=(_forced([last]),))]
    return [_past(before)]


def verbatim(turns: Mapping[int, Turn], place: Place | None) -> list[Read]:
    """The turns that are read word for word at a place, first to last."""
    found: list[Read] = []
    kept: Collection[int] | None = None
    while place:
        turn = turns[place.turn]
        if kept is None or turn.id in kept:
            found.append((turn, place))
        if kept is None:
            kept = turn.kept
        place = turn.base
    return found[::-1]


def due(
    context: int, dialect: Stepwise, turns: Mapping[int, Turn], base: Place | None, pinned: Collection[int], words: str
) -> Short | None:
    """How to make room in so many tokens for what follows `base`: `words` and an answer. None while they have it, or
    where nothing can be left out."""
    said = len(ids(history(turns, base))) + len(dialect.turns.encode(words))
    if not words or said <= context // _FULL:
        return None
    spoken = _exchanges(verbatim(turns, base))
    latest = _latest(spoken, context // _LATEST)
    kept = [s for at, s in enumerate(spoken) if at >= latest or any(turn.id in pinned for turn, _ in s)]
    left = [s for s in spoken if s not in kept]
    return Short(tuple(chain(*left)), tuple(chain(*kept))) if left else None


async def shorten(core: Core, dialect: Stepwise, turns: Mapping[int, Turn], short: Short) -> tuple[list[Step], Cost]:
    """What is read instead of all that was said, and what the summary cost. Raises CoreError."""
    summary, cost = await _summary(core, dialect, list(history(turns, short.left[-1][1])))
    steps = [dialect.recalled(summary)]
    for turn, place in short.kept:
        if turn.words:
            steps.append(dialect.said(turn.words, turn.files, steps[-1].kind))
        steps += _own(turn, place)
    return steps, cost


async def _summary(core: Core, dialect: Stepwise, before: Sequence[Step]) -> tuple[str, Cost]:
    """All that was said before, in the core's words; empty where that is more than it can read."""
    asked = dialect.said(prompt("summarise"), {}, before[-1].kind)
    prefix = [*ids(before), *asked.ids, *dialect.turns.answering().ids]
    if len(prefix) + _SUMMARY > core.info.context:
        return "", Cost()
    done = await core.complete(prefix, Sampling(max_tokens=_SUMMARY))
    return done.text.strip(), Cost(done.usage.prefilled, done.usage.cached, done.usage.decoded)


def _exchanges(reads: Sequence[Read]) -> list[list[Read]]:
    """Turns without words of their own go with the one they go on with."""
    found: list[list[Read]] = []
    for turn, place in reads:
        if turn.words or not found:
            found.append([])
        found[-1].append((turn, place))
    return found


def _latest(exchanges: Sequence[Sequence[Read]], room: int) -> int:
    """Index of the first of the latest exchanges that fit into so many tokens."""
    first = len(exchanges)
    while first and (room := room - sum(len(ids(_own(*read))) for read in exchanges[first - 1])) >= 0:
        first -= 1
    return first


def _own(turn: Turn, place: Place) -> Iterator[Step]:
    """The steps of a turn itself, up to a place in it."""
    for node in turn.tree.path(place.node):
        if node.parent is not None:
            yield from node.steps if node.id != place.node else node.steps[: place.steps]


def _past(steps: Sequence[Step]) -> Step:
    return Step("task", "", (_forced(steps),))


def _forced(steps: Sequence[Step]) -> Span:
    return Span(tuple(ids(steps)), sampled=False)

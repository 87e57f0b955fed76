"""Strategies: pure functions of a tree and a ledger that say which heads to grow. `make` finds one by its name.

plain     one sample, independent samples, sequential revision
rewind    step back to the task, or into the best attempts
vote      what most attempts say
beam      level by level, the best go on: plain, in subtrees that never meet, or by balanced shares
mcts      down by value and prior, one step where the walk ends
adaptive  by how hard the first samples show the task to be
dialogue  a proposer and a critic
steps     what beam and mcts share
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reasoner.completions import Sampling
from reasoner.config import SearchConfig
from reasoner.errors import ConfigError
from reasoner.protocols import Strategy
from reasoner.search.adaptive import Adaptive
from reasoner.search.beam import Beam, Rule
from reasoner.search.dialogue import Dialogue
from reasoner.search.mcts import Mcts
from reasoner.search.plain import VISIBLE, BestOfN, Revise, Single
from reasoner.search.rewind import Rewind
from reasoner.search.steps import Steps
from reasoner.search.vote import Vote, elected
from reasoner.tree import LIKELIHOOD
from reasoner.types import Kind

__all__ = [
    "Adaptive",
    "Beam",
    "BestOfN",
    "Dialogue",
    "Mcts",
    "Revise",
    "Rewind",
    "Single",
    "Steps",
    "Vote",
    "by_kind",
    "elected",
    "make",
    "names",
    "purposes",
    "votes",
]

AUTO: Mapping[Kind, str] = {"coding": "rewind", "question": "vote"}
"""What `auto` stands for."""
_GUIDES: Mapping[Kind, str] = {"coding": VISIBLE, "question": LIKELIHOOD}
"""The guide, where none is named."""
_PARAGRAPH = ("\n\n",)
"""What ends a step of a question; code is not cut into steps."""


def names() -> tuple[str, ...]:
    return ("auto", *_KNOWN)


def purposes() -> Mapping[str, str]:
    """What each strategy does, in one line, by its name."""
    first = " and ".join(f"{name} for {kind}" for kind, name in AUTO.items())
    return {"auto": first.replace("question", "questions")} | {name: known.purpose for name, known in _KNOWN.items()}


def by_kind(config: SearchConfig) -> Mapping[Kind, Strategy]:
    """The strategy that `config` names, as it suits each kind of task. Raises `ConfigError` as `make` does."""
    return {kind: make(config, kind) for kind in AUTO}


def votes(config: SearchConfig, kind: Kind) -> bool:
    """Whether that strategy answers with what most of its attempts say."""
    return _known(config, kind).votes


def make(config: SearchConfig, kind: Kind = "coding") -> Strategy:
    """The strategy that `config` names, with its settings, for one kind of task.

    Raises:
        ConfigError: there is none of that name, or a number makes no sense.
    """
    known = _known(config, kind)
    for key in ("attempts", "width", "max_tokens", "beam_width"):
        if getattr(config, key) < 1:
            raise ConfigError(f"search.{key} is {getattr(config, key)}: it must be at least 1")
    if not 0 <= config.temperature <= 5:
        raise ConfigError(f"search.temperature is {config.temperature}: it must be between 0 and 5")
    return known.build(_Wanted(config, kind))


def _known(config: SearchConfig, kind: Kind) -> "_Known":
    name = AUTO[kind] if config.strategy == "auto" else config.strategy
    if name not in _KNOWN:
        near = difflib.get_close_matches(name, names(), 1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(names())}"
        raise ConfigError(f"there is no strategy {name!r}: {hint}")
    return _KNOWN[name]


@dataclass(frozen=True)
class _Wanted:
    """Settings as the strategies take them."""

    config: SearchConfig
    kind: Kind

    @property
    def sampling(self) -> Sampling:
        return Sampling(temperature=self.config.temperature, max_tokens=self.config.max_tokens)

    @property
    def steps(self) -> Steps:
        guide = self.config.guide or _GUIDES[self.kind]
        if self.kind == "coding":
            return Steps(guide, self.sampling)
        return Steps(guide, self.sampling, ends=_PARAGRAPH, averaged=guide != LIKELIHOOD)

    def beam(self, rule: Rule) -> Beam:
        """Every step of code is an attempt, so a level has the share of them that is kept of it."""
        most, width = self.config.attempts, self.config.beam_width
        return Beam(self.steps, -(-most // width) if self.kind == "coding" else most, width, rule, most=most)


@dataclass(frozen=True)
class _Known:
    purpose: str
    build: Callable[[_Wanted], Strategy]
    votes: bool = False
    """It answers with what most of its attempts say, and goes on for that after one that passes its tests."""


_KNOWN = {
    "rewind": _Known(
        "fresh attempts, and the best ones begun again from a doubtful token",
        lambda w: Rewind(
            w.config.attempts,
            w.sampling,
            lessons=w.config.lessons,
            think=w.config.think,
            guide=w.config.guide,
            terse=w.config.terse,
        ),
    ),
    "vote": _Known(
        "independent attempts, answered as most of them do (weighed by --guide)",
        lambda w: Vote(w.config.attempts, w.sampling, w.config.guide, w.config.think),
        votes=True,
    ),
    "adaptive": _Known(
        "fresh attempts, rewinds or revisions by how hard the first samples were",
        lambda w: Adaptive(
            w.config.attempts, w.sampling, think=w.config.think, guide=w.config.guide, terse=w.config.terse
        ),
        votes=True,
    ),
    "beam": _Known("step by step, the best go on by --guide", lambda w: w.beam("top")),
    "dvts": _Known("beam search in subtrees that never meet", lambda w: w.beam("dvts")),
    "rebase": _Known("beam search where every step goes on by its share of the score", lambda w: w.beam("rebase")),
    "mcts": _Known(
        "tree search: steps chosen by their value and their probability",
        lambda w: Mcts(w.steps, w.config.attempts),
    ),
    "dialogue": _Known(
        "a proposer and a critic, one model in two roles, until they agree",
        lambda w: Dialogue(w.config.attempts, w.sampling, w.config.think),
    ),
    "revise": _Known(
        "each attempt sees the one before it and its tests",
        lambda w: Revise(w.config.attempts, w.sampling, w.config.think, w.config.guide),
    ),
    "best_of_n": _Known(
        "independent attempts, the best by the visible tests",
        lambda w: BestOfN(w.config.attempts, w.sampling, w.config.think, w.config.guide),
    ),
    "single": _Known(
        "one greedy attempt",
        lambda w: Single(Sampling(max_tokens=w.config.max_tokens), think=w.config.think),
    ),
}

"""The control tokens of a core that owns the protocol: their names, the rows that they rename, where they are found.

A core was trained on them when its tokenizer knows all seven; then it speaks (`dialect.spoken`), else it is driven
(`dialect.driven`, `dialect.stepwise`). What stands between them, and which may follow which, is the spoken dialect's.
"""

import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Literal, get_args

from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import ModelError

Control = Literal["think", "act", "observe", "reflect", "backtrack", "answer", "end"]
NAMES: tuple[Control, ...] = get_args(Control)
WORDS: Mapping[Control, tuple[str, ...]] = {
    "think": (" think", " reason", " consider"),
    "act": ("```",),
    "observe": (" output", " result", " observe"),
    "reflect": (" reflect", " mistake", " wrong"),
    "backtrack": (" back", " return", " undo"),
    "answer": (" answer", " final", " solution"),
    "end": ("```",),
}
"""Before training, the row of each is the mean of the rows of these words, so that it begins near what an untaught core
writes in its place: an act begins and ends where a fence did. The end of a step begins near the end of a turn as well,
where a vocabulary has one."""
_SPARE = re.compile(r"<\|reserved_special_token_\d+\|>|<unused\d+>|<\|dummy_\d+\|>|\[PAD\d+\]")
"""What vocabularies call rows that stand for nothing yet."""


def token(name: Control) -> str:
    """The text of a control token, as templates write it."""
    return f"<|{name}|>"


@dataclass(frozen=True)
class Controls:
    """The ids of the control tokens in one vocabulary."""

    think: int
    act: int
    observe: int
    reflect: int
    backtrack: int
    answer: int
    end: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Controls | None":
        """Those that a tokenizer knows; None where it does not know all of them, so that its core must be driven."""
        known = [tokenizer.controls.get(token(name)) for name in NAMES]
        return None if None in known else cls(*(i for i in known if i is not None))

    @property
    def ids(self) -> tuple[int, ...]:
        """In the order of `NAMES`."""
        return astuple(self)

    def name(self, token_id: int) -> Control | None:
        """Which control token an id is, None for any other token."""
        return next((name for name, i in zip(NAMES, self.ids, strict=True) if i == token_id), None)

    def named(self) -> dict[str, int]:
        """Text of each token -> id, as `Tokenizer.controls` has it."""
        return {token(name): i for name, i in zip(NAMES, self.ids, strict=True)}


def rows(tokenizer: Tokenizer) -> Controls:
    """Which rows of a vocabulary to rename: those that it keeps as spare ones by name, else the first seven behind its
    last token. These may lie beyond the rows that a model has; then the trainer makes room for them.

    Raises:
        ModelError: the vocabulary has tokens of these names, of a meaning of its own.
    """
    taken = [token(name) for name in NAMES if token(name) in tokenizer.controls]
    if taken:
        raise ModelError(
            f"this vocabulary has a {taken[0]} already: train from the model before it was taught to speak"
        )
    spare = sorted(i for text, i in tokenizer.controls.items() if _SPARE.fullmatch(text))
    count = len(fields(Controls))
    first = tokenizer.vocabulary
    return Controls(*(spare[:count] if len(spare) >= count else range(first, first + count)))

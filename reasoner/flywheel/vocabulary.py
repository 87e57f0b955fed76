"""The vocabulary that a core has once it is taught: its own, with the control tokens on rows that it has to spare."""

import json
from collections.abc import Sequence
from pathlib import Path

from reasoner.dialect.control import NAMES, WORDS, Controls, rows, token
from reasoner.dialect.tokenizer import HubTokenizer, Tokenizer
from reasoner.models.directory import check


class Speaking:
    """A tokenizer with the control tokens added, where it does not know them yet. Satisfies `Tokenizer`."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        known = Controls.of(tokenizer) or rows(tokenizer)
        self._tokenizer = tokenizer
        self._own = frozenset(known.ids)
        spare = {text: i for text, i in tokenizer.controls.items() if i not in self._own}
        self.controls = {**spare, **known.named()}
        self.vocabulary = max(tokenizer.vocabulary, 1 + max(known.ids))
        self.ends, self.template, self.bos = tokenizer.ends, tokenizer.template, tokenizer.bos

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode([i for i in ids if i not in self._own])

    def holding(self, *marks: str) -> tuple[int, ...]:
        return self._tokenizer.holding(*marks)


def speaking(directory: Path) -> Speaking:
    """The vocabulary of the model in `directory`, taught or not. Raises `ModelError`."""
    return Speaking(HubTokenizer(directory))


def context(directory: Path) -> int:
    """Positions of the model in `directory`. Raises `ModelError`."""
    config = json.loads((check(directory) / "config.json").read_bytes())
    return int(config.get("max_position_embeddings") or config.get("n_positions") or 2048)


def like(tokenizer: Tokenizer) -> dict[str, list[int]]:
    """By control token: the ids whose rows its own begins as the mean of."""
    words = {token(name): [i for word in WORDS[name] for i in tokenizer.encode(word)] for name in NAMES}
    return {**words, token("end"): [*words[token("end")], *tokenizer.ends[:1]]}


def controls(tokenizer: Speaking) -> dict[str, int]:
    """The control tokens alone, by their text."""
    found = Controls.of(tokenizer)
    assert found is not None
    return found.named()

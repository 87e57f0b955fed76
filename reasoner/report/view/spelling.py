"""Token ids as texts, one a token: for looking at, never to be encoded again."""

from collections.abc import Sequence
from pathlib import Path

from reasoner.dialect.control import Controls, rows
from reasoner.dialect.tokenizer import ByteTokenizer, HubTokenizer, Tokenizer
from reasoner.models.store import Store, home
from reasoner.trace import Added, Trace


class Spelling:
    """Texts of single tokens. A character that several tokens share is shown at the last of them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._names = {token: name for name, token in tokenizer.controls.items()}
        self._before = tokenizer.encode("a")[-1:]
        """Some decoders leave out the blank of a first token."""
        self._known: dict[int, str] = {}

    def texts(self, ids: Sequence[int]) -> list[str]:
        """One text for each of `ids`."""
        found: list[str] = []
        broken: list[int] = []
        for token in ids:
            text = self._text(token)
            if "\ufffd" not in text:
                broken.clear()
                found.append(text)
                continue
            broken.append(token)
            whole = self._tokenizer.decode(broken)
            found.append("" if whole.endswith("\ufffd") and len(broken) < 4 else whole)
            if found[-1]:
                broken.clear()
        return found

    def _text(self, token: int) -> str:
        if token not in self._known:
            plain = self._tokenizer.decode([*self._before, token])[1:]
            self._known[token] = self._names.get(token) or plain
        return self._known[token]


def spelling_of(trace: Trace, directory: Path | None = None) -> Spelling | None:
    """That of the core's tokenizer: from `directory`, else from the store; None where it is not here. A core is called
    by its model and, after a +, its adapter, which names the control tokens.

    Raises:
        ModelError: `directory` holds no tokenizer.
    """
    model, _, adapter = trace.began.core.partition("+")
    stored = Store(home()).place(model)
    place = directory or (stored if "/" not in model and (stored / "tokenizer.json").is_file() else None)
    if place:
        tokenizer = HubTokenizer(place)
        if adapter and Controls.of(tokenizer) is None:
            tokenizer = HubTokenizer(place, rows(tokenizer).named())
        return Spelling(tokenizer)
    return Spelling(ByteTokenizer()) if _are_bytes(trace) else None


def _are_bytes(trace: Trace) -> bool:
    """Whether the task is written in bytes: no vocabulary of a model writes a text with its first ids alone."""
    root = next((event.node for event in trace.events if isinstance(event, Added)), None)
    return root is not None and max(root.ids, default=ByteTokenizer.vocabulary) < ByteTokenizer.vocabulary

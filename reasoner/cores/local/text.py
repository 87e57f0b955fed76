"""Token ids -> text while they arrive: never half a character, and the place where a stop string is complete."""

from collections.abc import Sequence

from reasoner.dialect.tokenizer import Tokenizer

_BROKEN = "\ufffd"
_CONTEXT = 4
"""Tokens decoded again in front of new ones: some decoders treat the first token of a text differently."""


class Detokenizer:
    """The growing text of one completion."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(s for s in stop if s)
        self._ids: list[int] = []
        self._from = 0
        """Where decoding begins; all before it is settled."""
        self._settled = 0
        """Characters of the window that have been given out."""
        self._tail = ""
        """The end of the text given out, as long as a stop string may reach back into it."""

    def push(self, token: int) -> tuple[str, bool]:
        """Text that has become certain with `token`, and whether it completes a stop string."""
        self._ids.append(token)
        window = self._tokenizer.decode(self._ids[self._from :])
        new = window[self._settled :].rstrip(_BROKEN)
        self._settled += len(new)
        if self._settled == len(window):
            self._slide()
        return new, self._stops(new)

    def rest(self) -> str:
        """What was held back as half a character, given out as it stands."""
        return self._tokenizer.decode(self._ids[self._from :])[self._settled :]

    def _slide(self) -> None:
        start = max(self._from, len(self._ids) - _CONTEXT)
        self._from = start
        self._settled = len(self._tokenizer.decode(self._ids[start:]))

    def _stops(self, new: str) -> bool:
        if not self._stop or not new:
            return False
        text = self._tail + new
        self._tail = text[-max(len(s) for s in self._stop) :]
        return any(s in text for s in self._stop)

"""Text of a run of token ids while it grows: what is new can be shown at once, half a character never is."""

from collections.abc import Sequence

from reasoner.dialect.tokenizer import Tokenizer


class Unfolding:
    """Feed it ids as they are sampled; the texts it returns, joined with `rest`, are the decoded whole."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._context = 0
        """Ids from here on are decoded again, since some decoders look at the token before."""
        self._settled = 0
        """Ids up to here have been returned as text."""
        self._shown = 0

    def add(self, ids: Sequence[int]) -> str:
        """Text that `ids` complete; empty while they end inside a character."""
        self._ids += ids
        before = self._tokenizer.decode(self._ids[self._context : self._settled])
        whole = self._tokenizer.decode(self._ids[self._context :])
        if whole.endswith("\ufffd") or len(whole) <= len(before):
            return ""
        self._context, self._settled = self._settled, len(self._ids)
        self._shown += len(whole) - len(before)
        return whole[len(before) :]

    def rest(self, text: str) -> str:
        """What of the whole, decoded `text` has not been returned yet."""
        return text[self._shown :]

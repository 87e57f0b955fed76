"""One completion while it grows. Stops are found here, in the tokens themselves: servers differ in what a stop means.

It knows nothing of servers. The token that is, or completes, a stop is the last one; whatever follows it is dropped.
"""

import math

from reasoner.completions import Completion, Finish, Piece, Sampling, Usage
from reasoner.cores.remote.exchange import Delta
from reasoner.cores.unfolding import Unfolding
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import CoreError


class Row:
    def __init__(self, tokenizer: Tokenizer, sampling: Sampling, limit: int) -> None:
        self.ids: list[int] = []
        self.finish: Finish | None = None
        self._logprobs: list[float] = []
        self._tokenizer = tokenizer
        self._unfolding = Unfolding(tokenizer)
        self._stop_ids = frozenset(sampling.stop_ids)
        self._stops = tuple(stop for stop in sampling.stop if stop)
        self._reach = max(map(len, self._stops), default=1) - 1
        self._tail = ""
        self._limit = limit

    def take(self, delta: Delta) -> Piece:
        """Add what an event brought, up to the first stop or the limit; `finish` is then set.

        Raises:
            CoreError: an id is not one of the tokenizer's.
        """
        start, text = len(self.ids), ""
        logprobs = delta.logprobs if delta.logprobs is not None else (math.nan,) * len(delta.ids)
        for token, logprob in zip(delta.ids, logprobs, strict=True):
            self._check(token)
            self.ids.append(token)
            self._logprobs.append(logprob)
            fresh = self._unfolding.add((token,))
            text += fresh
            if token in self._stop_ids or self._stopped(fresh):
                self.finish = "stop"
            elif len(self.ids) >= self._limit:
                self.finish = "length"
            if self.finish:
                break
        self.finish = self.finish or delta.finish
        new = tuple(self._logprobs[start:])
        known = not any(map(math.isnan, new))
        return Piece(tuple(self.ids[start:]), text, None, new if known else (), Usage(decoded=len(self.ids)))

    def done(self, piece: Piece, usage: Usage) -> Piece:
        """The last piece: what `piece` brought, the text that was held back, and the whole completion."""
        text = self._tokenizer.decode(self.ids)
        known = not any(map(math.isnan, self._logprobs))
        whole = Completion(tuple(self.ids), text, self.finish or "stop", tuple(self._logprobs) if known else (), usage)
        return Piece(piece.ids, piece.text + self._unfolding.rest(text), whole, piece.logprobs, usage)

    def _check(self, token: int) -> None:
        if not 0 <= token < self._tokenizer.vocabulary:
            raise CoreError(
                f"the server wrote token id {token}, but the tokenizer has {self._tokenizer.vocabulary}: "
                "give the tokenizer of the model that the server runs"
            )

    def _stopped(self, fresh: str) -> bool:
        window = self._tail + fresh
        self._tail = window[-self._reach :] if self._reach else ""
        return any(stop in window for stop in self._stops)

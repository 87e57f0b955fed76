"""A job is what somebody asked for; a row is a job that is being computed: its tokens, slots and place in the tree."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from reasoner.completions import Completion, Finish, Piece, Sampling, Scored, Usage
from reasoner.cores.local.cache import Ids, Node
from reasoner.cores.local.guessing import guess
from reasoner.cores.local.text import Detokenizer
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import CoreError


@dataclass(frozen=True, eq=False)
class Hidden:
    """The hidden state at a prefix's last token, (hidden,), and what it cost."""

    state: torch.Tensor
    usage: Usage


Event = Piece | Completion | Scored | Hidden | CoreError
Kind = Literal["stream", "complete", "score", "hidden"]


@dataclass(eq=False)
class Job:
    """One request, handed from the caller's thread to the engine's.

    `send` is called on the engine's thread: `Piece`s for a stream, a `Completion`, `Scored` or `Hidden` otherwise, a
    `CoreError` when it fails. The caller sets `cancelled`; the engine reads it before every step.
    """

    kind: Kind
    prefix: tuple[int, ...]
    send: Callable[[Event], None]
    sampling: Sampling = Sampling()
    continuation: tuple[int, ...] = ()
    cancelled: bool = False
    row: "Row | None" = field(default=None, repr=False)
    """Made when the job is first looked at, kept when it has to give up its slots: what it has sampled is not lost."""


class Row:
    """The state of one job between steps. Token `i` is computed when its keys and values are in slot `slots[i]`."""

    def __init__(self, job: Job, room: int, root: Node, tokenizer: Tokenizer) -> None:
        given = job.prefix + job.continuation
        self.job = job
        self.node = root
        """Locked; holds the first `inserted` tokens."""
        self.inserted = 0
        self.computed = 0
        self.reserved = 0
        """Slots beyond the computed ones, for the tokens of the step at hand."""
        self.guessed = 0
        """Tokens after the known ones that the step at hand computes on trial."""
        self.hidden: torch.Tensor | None = None
        """(1 + guessed, hidden): the last known token's and the guesses', where sampling waits for them."""
        self.scores: list[float] = []
        self._tokens = np.zeros(room, dtype=np.int32)
        self._tokens[: len(given)] = given
        self.length = self._given = len(given)
        self.slots = np.zeros(room, dtype=np.int32)
        self._room = room
        self._random = random.Random(job.sampling.seed)
        self._prefilled = 0
        self._cached = 0
        self._logprobs: list[float] = []
        watching = job.kind == "stream" or bool(job.sampling.stop)
        self._text = Detokenizer(tokenizer, job.sampling.stop) if watching else None
        self._tokenizer = tokenizer

    @property
    def tokens(self) -> Ids:
        """What is known, then what is guessed."""
        return self._tokens[: self.length + self.guessed]

    @property
    def keep_from(self) -> int:
        """The first token whose hidden state is needed."""
        return len(self.job.prefix) - 1 if self.job.kind == "score" else self.length - 1

    @property
    def pending(self) -> int:
        return self.length - self.computed

    @property
    def sampled(self) -> int:
        return len(self._logprobs)

    def found(self, count: int) -> None:
        """`count` leading tokens came from the tree."""
        self._cached = self._cached if self.sampled else count

    def advance(self, count: int) -> None:
        """`count` more tokens are computed."""
        self.computed += count
        self._prefilled += max(0, min(self.computed, self._given) - (self.computed - count))

    def guess(self, most: int) -> int:
        """Put guesses after a text that is being written; how many they are."""
        if self.sampled and most > 0:
            found = guess(self.tokens, min(most, self._room - self.length))
            self._tokens[self.length : self.length + len(found)] = found
            self.guessed = len(found)
        return self.guessed

    def take_guesses(self) -> list[int]:
        """The guesses, which the row forgets."""
        found: list[int] = self._tokens[self.length : self.length + self.guessed].tolist()
        self.guessed = 0
        return found

    def uniform(self) -> float:
        return self._random.random()

    def accept(self, token: int, logprob: float) -> bool:
        """Append a sampled token, tell the caller; True when the completion is over."""
        self._tokens[self.length] = token
        self.length += 1
        self.hidden = None
        self._logprobs.append(logprob)
        text, stopped = self._text.push(token) if self._text else ("", False)
        finish = self._finish(token, stopped)
        if finish is None:
            if self.job.kind == "stream":
                self.job.send(Piece((token,), text, logprobs=(logprob,), usage=self.usage))
            return False
        done = self._completion(finish)
        if self._text and self.job.kind == "stream":
            self.job.send(Piece((token,), text + self._text.rest(), done, (logprob,), done.usage))
        else:
            self.job.send(done)
        return True

    def _finish(self, token: int, stopped: bool) -> Finish | None:
        if stopped or token in self.job.sampling.stop_ids:
            return "stop"
        if self.sampled >= self.job.sampling.max_tokens or self.length >= self._room:
            return "length"
        return None

    def _completion(self, finish: Finish) -> Completion:
        ids = tuple(self._tokens[len(self.job.prefix) : self.length].tolist())
        return Completion(ids, self._tokenizer.decode(ids), finish, tuple(self._logprobs), self.usage)

    @property
    def usage(self) -> Usage:
        return Usage(self._prefilled, self._cached, self.sampled)


def check(job: Job, context: int, vocabulary: int, capacity: int) -> None:
    """Refuse what cannot be computed. Raises `CoreError` with the value and the remedy."""
    given = job.prefix + job.continuation
    if not job.prefix:
        raise CoreError("the prefix is empty: give at least one token, such as the tokenizer's first")
    if len(given) + (job.kind in ("stream", "complete")) > context:
        raise CoreError(f"{len(given)} tokens do not fit the context of {context}: shorten the prompt")
    wrong = next((i for i in given if not 0 <= i < vocabulary), None)
    if wrong is not None:
        raise CoreError(f"token id {wrong} is outside the vocabulary of {vocabulary}: use this core's own tokenizer")
    wrong = next((i for i in (*job.sampling.only, *job.sampling.never) if not 0 <= i < vocabulary), None)
    if wrong is not None:
        raise CoreError(f"sampling names the token id {wrong}, outside the vocabulary of {vocabulary}: leave it out")
    _check_sampling(job.sampling)
    if room(job, context) > capacity:
        raise CoreError(
            f"{room(job, context)} tokens of prompt and completion do not fit the cache of {capacity}: "
            "raise kv_bytes or lower max_tokens"
        )


def _check_sampling(s: Sampling) -> None:
    bounds: Sequence[tuple[str, Any, bool, str]] = (
        ("temperature", s.temperature, 0 <= s.temperature < float("inf"), "0 or a positive number"),
        ("top_p", s.top_p, 0 < s.top_p <= 1, "above 0, at most 1"),
        ("top_k", s.top_k, s.top_k >= 0, "0 or a positive count"),
        ("min_p", s.min_p, 0 <= s.min_p <= 1, "from 0 to 1"),
        ("max_tokens", s.max_tokens, s.max_tokens >= 1, "at least 1"),
    )
    for name, value, good, wanted in bounds:
        if not good:
            raise CoreError(f"sampling with {name} {value} is impossible: it must be {wanted}")


def room(job: Job, context: int) -> int:
    """Tokens that the job may come to."""
    extra = job.sampling.max_tokens if job.kind in ("stream", "complete") else len(job.continuation)
    return min(context, len(job.prefix) + extra)

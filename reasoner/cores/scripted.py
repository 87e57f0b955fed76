"""A core that says what a script tells it, in virtual time: for tests, examples and dry runs.

It keeps every promise of a core (exact ids, stops, streaming, cancellation, cached tokens) and knows no model. Replies
are written as text over `ByteTokenizer`, one token a byte. Nothing is random and nothing sleeps, so with
`Ledger(clock=core.clock)` two runs give the same trace, byte for byte.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from itertools import pairwise

from reasoner.completions import Completion, CoreInfo, Finish, Piece, Sampling, Scored, Usage, Valued
from reasoner.cores.unfolding import Unfolding
from reasoner.cores.virtual import VirtualClock
from reasoner.dialect.chat import markup
from reasoner.dialect.control import NAMES, token
from reasoner.dialect.tokenizer import ByteTokenizer, SpeakingTokenizer
from reasoner.errors import CoreError


@dataclass(frozen=True)
class Reply:
    """One completion: `text`, then the end of the turn, `seconds` of virtual time after it was asked for."""

    text: str = ""
    seconds: float = 1.0
    logprob: float = 0.0
    """Of each of its tokens."""
    fails: str = ""
    """Raise a `CoreError` with this text instead."""


Rule = tuple[str | re.Pattern[str], Sequence[Reply]]
"""A substring or a pattern of the prefix's text, and what is said, in order, where it occurs."""

Script = Sequence[Reply] | Sequence[Rule] | Callable[[str, Sampling], Reply]


@dataclass(frozen=True)
class Request:
    """What the core was asked: the prefix as text, control tokens spelt out, and how to go on."""

    text: str
    sampling: Sampling


@dataclass(frozen=True)
class _Plan:
    prefix: tuple[int, ...]
    completion: Completion
    reply: Reply
    start: float
    ticket: int

    def moment(self, tokens: int) -> float:
        """When that many tokens have been written."""
        return self.start + self.reply.seconds * tokens / len(self.completion.ids)


class ScriptedCore:
    """Serves `replies` in order of request; or what a callable says; or, of the first rule that matches the prefix and
    has a reply left, the next one. Requests in flight together end in order of their virtual time. One that `speaks`
    owns the protocol: its vocabulary has the control tokens, and its replies mean those that they spell out. `heads`
    are its reward heads with what they always say, `scored` the log-probability of every token that it is to score.

    Raises:
        CoreError: the script has no reply, the prefix is empty, too long or not of this vocabulary, or a reply `fails`.
    """

    def __init__(
        self,
        replies: Script,
        *,
        name: str = "scripted",
        context: int = 2**20,
        piece: int = 16,
        clock: VirtualClock | None = None,
        speaks: bool = False,
        heads: Mapping[str, float] | None = None,
        scored: float | None = None,
    ) -> None:
        self.tokenizer = SpeakingTokenizer() if speaks else ByteTokenizer()
        self._encode = partial(markup, self.tokenizer) if speaks else self.tokenizer.encode
        self.clock = clock or VirtualClock()
        self._heads, self._scored = dict(heads or {}), scored
        digest = blake2b(f"{name}\0{_spell(replies)}".encode(), digest_size=16).hexdigest()
        self.info = CoreInfo(name, digest, context, can_score=scored is not None, heads=tuple(sorted(self._heads)))
        self.asked: list[Request] = []
        """Every request so far, in order of arrival."""
        self.computed = 0
        """Tokens that it read without having seen them, or wrote."""
        self._replies = replies if callable(replies) else _serve(replies)
        self._piece = piece
        self._memory = _Memory()

    async def complete(self, prefix: Sequence[int], sampling: Sampling) -> Completion:
        plan = self._plan(prefix, sampling)
        return await self._finish(plan)

    async def stream(self, prefix: Sequence[int], sampling: Sampling) -> AsyncIterator[Piece]:
        plan = self._plan(prefix, sampling)
        done, unfolding = plan.completion, Unfolding(self.tokenizer)
        ids = done.ids
        ends = [*range(0, len(ids), self._piece), len(ids)]
        for start, end in pairwise(ends[:-1]):
            await self.clock.until(plan.moment(end), plan.ticket)
            usage = replace(plan.completion.usage, decoded=end)
            yield Piece(ids[start:end], unfolding.add(ids[start:end]), None, done.logprobs[start:end], usage)
        await self._finish(plan)
        yield Piece(ids[ends[-2] :], unfolding.rest(done.text), done, done.logprobs[ends[-2] :], done.usage)

    async def score(self, prefix: Sequence[int], continuation: Sequence[int]) -> Scored:
        if self._scored is None:
            raise CoreError(
                f"the scripted core {self.info.name} has no model to score with: use a local or remote core"
            )
        return Scored((self._scored,) * len(continuation), self._read([*prefix, *continuation]))

    async def value(self, prefix: Sequence[int], head: str) -> Valued:
        if head not in self._heads:
            raise CoreError(f"the scripted core {self.info.name} has no reward head {head!r}: use a local core")
        return Valued(self._heads[head], self._read(prefix))

    async def close(self) -> None:
        """Nothing is held."""

    def _plan(self, prefix: Sequence[int], sampling: Sampling) -> _Plan:
        room = min(self._room(prefix), sampling.max_tokens)
        if room < 1:
            raise CoreError(f"max_tokens is {sampling.max_tokens}: ask for at least 1")
        request = Request(_spell_out(self.tokenizer, prefix), sampling)
        self.asked.append(request)
        reply = self._replies(request.text, sampling)
        ids, finish = _cut([*self._encode(reply.text), self.tokenizer.ends[0]], sampling, room)
        completion = Completion(
            ids=ids,
            text=self.tokenizer.decode(ids),
            finish=finish,
            logprobs=(reply.logprob,) * len(ids),
            usage=replace(self._read(prefix), decoded=len(ids)),
        )
        return _Plan(tuple(prefix), completion, reply, self.clock(), self.clock.ticket())

    def _read(self, ids: Sequence[int]) -> Usage:
        cached = self._memory.add(ids)
        self.computed += len(ids) - cached
        return Usage(prefilled=len(ids) - cached, cached=cached)

    def _room(self, prefix: Sequence[int]) -> int:
        if not prefix:
            raise CoreError("the prompt is empty: a completion needs at least one token to go on from")
        if alien := [i for i in prefix if not 0 <= i < self.tokenizer.vocabulary]:
            raise CoreError(f"token id {alien[0]} is not below {self.tokenizer.vocabulary}: encode with this tokenizer")
        room = self.info.context - len(prefix)
        if room < 1:
            raise CoreError(
                f"a prompt of {len(prefix)} tokens leaves no room in a context of {self.info.context}: shorten it"
            )
        return room

    async def _finish(self, plan: _Plan) -> Completion:
        await self.clock.until(plan.start + plan.reply.seconds, plan.ticket)
        if plan.reply.fails:
            raise CoreError(plan.reply.fails)
        self._memory.add([*plan.prefix, *plan.completion.ids])
        self.computed += len(plan.completion.ids)
        return plan.completion


def speech(*turns: str) -> list[Reply]:
    """Replies of a core that `speaks`, cut where it is listened to: after every control token."""
    cut = "|".join(re.escape(token(name)) for name in NAMES)
    pieces = re.compile(f".*?(?:{cut})|.+", re.S)
    return [Reply(piece) for turn in turns for piece in pieces.findall(turn)]


class _Memory:
    """Which prefixes were seen, one chained hash a token."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def add(self, ids: Sequence[int]) -> int:
        """Remember `ids`; return how many of them, from the first on, had been seen."""
        known, chain = 0, 0
        for position, one in enumerate(ids):
            chain = hash((chain, one))
            if chain in self._seen:
                known = position + 1
            self._seen.add(chain)
        return known


def _cut(ids: list[int], sampling: Sampling, limit: int) -> tuple[tuple[int, ...], Finish]:
    """Up to the first stop, which is part of it, or up to the limit."""
    raw = bytes(i if i < 256 else 0 for i in ids[:-1])
    stops = [stop.encode("utf-8", "replace") for stop in sampling.stop if stop]
    strings = [at + len(stop) for stop in stops if (at := raw.find(stop)) >= 0]
    tokens = [at + 1 for at, token in enumerate(ids) if token in sampling.stop_ids]
    end = min([len(ids), *strings, *tokens])
    return tuple(ids[: min(end, limit)]), "stop" if end <= limit else "length"


def _serve(script: Sequence[Reply] | Sequence[Rule]) -> Callable[[str, Sampling], Reply]:
    """Hand out each reply once."""
    rules = [_rule(entry) for entry in script]
    served = 0

    def reply(text: str, sampling: Sampling) -> Reply:
        nonlocal served
        for pattern, left in rules:
            if left and (pattern.search(text) if isinstance(pattern, re.Pattern) else pattern in text):
                served += 1
                return left.pop(0)
        raise CoreError(
            f"the script has no reply after {served} that were served, for a prompt that ends in {text[-80:]!r}: "
            "add one, or pass a callable"
        )

    return reply


def _rule(entry: Reply | Rule) -> tuple[str | re.Pattern[str], list[Reply]]:
    return ("", [entry]) if isinstance(entry, Reply) else (entry[0], list(entry[1]))


def _spell(script: Script) -> str:
    return getattr(script, "__qualname__", type(script).__qualname__) if callable(script) else repr(script)


def _spell_out(tokenizer: ByteTokenizer, ids: Sequence[int]) -> str:
    """Text of `ids`, control tokens included: for matching and reading only, never to be encoded again."""
    names = {token: name.encode() for name, token in tokenizer.controls.items()}
    return b"".join(names.get(i) or bytes((i,)) for i in ids).decode("utf-8", "replace")

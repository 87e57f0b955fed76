"""Holds a core still between two tokens, and ends what it writes there. Nothing is cancelled, so nothing is lost."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from reasoner.completions import Completion, CoreInfo, Piece, Sampling, Scored, Valued
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.ledger import Ledger
from reasoner.protocols import Core
from reasoner.tree import Tree
from reasoner.types import Stop

KEPT = "kept as it was when it was stopped"


def _open() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


@dataclass
class Pausing:
    """Satisfies `Core` over another one, for one turn; and `StopPolicy`, once it was cut."""

    core: Core
    _gate: asyncio.Event = field(default_factory=_open)
    _cut: bool = False
    _waits: bool = False

    @property
    def info(self) -> CoreInfo:
        return self.core.info

    @property
    def tokenizer(self) -> Tokenizer:
        return self.core.tokenizer

    @property
    def paused(self) -> bool:
        return not self._gate.is_set()

    def pause(self) -> None:
        """Pass no piece on until it is told to."""
        self._gate.clear()

    def proceed(self) -> None:
        self._gate.set()

    def cut(self) -> None:
        """End every completion after the piece that comes next, as if its tokens were used up; begin none."""
        self._cut = True
        self._gate.set()

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        return Stop(KEPT) if self._cut and (self._waits or not tree.in_flight) else None

    async def stream(self, prefix: Sequence[int], sampling: Sampling) -> AsyncGenerator[Piece, None]:
        if self._cut:
            self._waits = True
            await asyncio.Event().wait()
        so_far = Completion((), "", "length")
        async with aclosing(self.core.stream(prefix, sampling)) as pieces:
            async for piece in pieces:
                await self._gate.wait()
                so_far = Completion(
                    so_far.ids + piece.ids,
                    so_far.text + piece.text,
                    "length",
                    so_far.logprobs + piece.logprobs,
                    piece.usage,
                )
                if self._cut and piece.done is None:
                    yield Piece(piece.ids, piece.text, _whole(so_far), piece.logprobs, piece.usage)
                    return
                yield piece

    async def complete(self, prefix: Sequence[int], sampling: Sampling) -> Completion:
        await self._gate.wait()
        return await self.core.complete(prefix, sampling)

    async def score(self, prefix: Sequence[int], continuation: Sequence[int]) -> Scored:
        await self._gate.wait()
        return await self.core.score(prefix, continuation)

    async def value(self, prefix: Sequence[int], head: str) -> Valued:
        await self._gate.wait()
        return await self.core.value(prefix, head)

    async def close(self) -> None:
        """The core belongs to the conversation, not to a turn."""


def _whole(completion: Completion) -> Completion:
    """Without probabilities where the core did not give all."""
    known = len(completion.logprobs) == len(completion.ids)
    return completion if known else Completion(completion.ids, completion.text, "length", (), completion.usage)

"""A server's model as a core. What differs from one server to the next is behind `Exchange`; here all are the same."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from reasoner.completions import Completion, CoreInfo, Piece, Sampling, Scored, Valued
from reasoner.cores.remote.exchange import Exchange, Server
from reasoner.cores.remote.probe import discover, still
from reasoner.cores.remote.row import Row
from reasoner.cores.remote.wire import Retry, Wire
from reasoner.dialect.tokenizer import ByteTokenizer, HubTokenizer, Tokenizer
from reasoner.errors import CoreError, RefusedError

LINGER_EVENTS = 4
LINGER_S = 2.0
"""How long a finished completion waits for the server's own count of its tokens."""


class RemoteCore:
    """Made by `connect`. `info.name` begins with how the server is spoken to: vllm, llamacpp, sglang or chat.

    Raises (all calls):
        RefusedError: the server does not take this prefix, and goes on to complete another.
        CoreError: the prefix cannot be sent, or the server did not complete it; the next call works again.
    """

    def __init__(self, wire: Wire, server: Server, info: CoreInfo, tokenizer: Tokenizer) -> None:
        self.info = info
        self.tokenizer = tokenizer
        self._wire = wire
        self._server = server
        self._completed: tuple[Sequence[int], Sampling] | None = None
        """What it completed last."""

    @classmethod
    async def connect(
        cls,
        base_url: str,
        model: str = "",
        *,
        api_key: str | None = None,
        tokenizer_dir: Path | None = None,
        timeout_s: float = 600.0,
        retry: Retry | None = None,
    ) -> "RemoteCore":
        """Find out what answers at `base_url` (as in `OPENAI_BASE_URL`, with or without `/v1`).

        With `tokenizer_dir`, the Hugging Face directory of the same model, token ids go in and come out where the
        server takes them; without it, or where it does not, the server is asked by chat. An empty `model` is the first
        one that the server lists. `timeout_s` bounds every call, its retries included.

        Raises:
            CoreError: no server, no such model, or another model's tokenizer.
            ModelError: `tokenizer_dir` holds no tokenizer.
        """
        exact = HubTokenizer(tokenizer_dir) if tokenizer_dir else None
        wire = Wire(base_url, api_key, timeout_s, retry or Retry())
        try:
            server, info = await discover(wire, model, exact)
        except BaseException:
            await wire.close()
            raise
        return cls(wire, server, info, exact if exact and info.token_ids else ByteTokenizer())

    async def stream(self, prefix: Sequence[int], sampling: Sampling) -> AsyncGenerator[Piece]:
        exchange = self._exchange(prefix, sampling)
        row = Row(self.tokenizer, sampling, exchange.limit)
        try:
            async with aclosing(self._wire.events(exchange.path, exchange.body)) as events:
                async for event in events:
                    piece = row.take(exchange.read(event))
                    if row.finish:
                        self._completed = prefix, sampling
                        await _linger(exchange, events)
                        yield row.done(piece, exchange.usage(len(row.ids)))
                        return
                    if piece.ids:
                        yield piece
        except RefusedError as error:
            if not await self._still_completes():
                raise CoreError(str(error)) from error
            raise
        raise CoreError(f"{self._wire.name} broke off after {len(row.ids)} tokens: ask again, and look at its log")

    async def complete(self, prefix: Sequence[int], sampling: Sampling) -> Completion:
        async with aclosing(self.stream(prefix, sampling)) as pieces:
            async for piece in pieces:
                if piece.done:
                    return piece.done
        raise CoreError(f"{self._wire.name} ended a completion without its end: ask again")

    async def score(self, prefix: Sequence[int], continuation: Sequence[int]) -> Scored:
        self._room([*prefix, *continuation])
        whole = [*prefix, *continuation]
        asked = self._server.scoring(whole)
        if asked is None or not self.info.can_score:
            raise CoreError(f"{self.info.name} cannot score a given text: use vLLM with its tokenizer, or a local core")
        if not continuation:
            return Scored(())
        if not prefix:
            raise CoreError("the prompt is empty: a score needs at least one token before what is scored")
        return self._server.scores(await self._wire.ask("POST", *asked), whole, len(prefix))

    async def value(self, prefix: Sequence[int], head: str) -> Valued:
        raise CoreError(f"{self.info.name} has no reward head {head!r}: use a local core")

    async def check(self) -> None:
        """Ask the server whether it still serves this model. Raises `CoreError` where it does not."""
        await still(self._wire, self._server, self.info.name.partition(":")[2], self.info.digest)

    async def _still_completes(self) -> bool:
        """Whether it takes what it completed before: then it is the request that it does not take, not any."""
        if self._completed is None:
            return False
        prefix, sampling = self._completed
        exchange = self._exchange(prefix, replace(sampling, max_tokens=1))
        with suppress(CoreError):
            async with aclosing(self._wire.events(exchange.path, exchange.body)) as events:
                async for _ in events:
                    return True
        return False

    async def close(self) -> None:
        await self._wire.close()

    def _exchange(self, prefix: Sequence[int], sampling: Sampling) -> Exchange:
        room = self._room(prefix)
        if sampling.max_tokens < 1:
            raise CoreError(f"max_tokens is {sampling.max_tokens}: ask for at least 1")
        most = min(sampling.max_tokens, room) if self.info.token_ids else sampling.max_tokens
        return self._server.exchange(prefix, replace(sampling, max_tokens=most))

    def _room(self, prefix: Sequence[int]) -> int:
        """Positions left after `prefix`, at least one."""
        if not prefix:
            raise CoreError("the prompt is empty: a completion needs at least one token to go on from")
        alien = next((i for i in prefix if not 0 <= i < self.tokenizer.vocabulary), None)
        if alien is not None:
            raise CoreError(
                f"token id {alien} is not below {self.tokenizer.vocabulary}: encode with this core's tokenizer"
            )
        room = self.info.context - len(prefix)
        if room < 1:
            raise CoreError(
                f"a prompt of {len(prefix)} tokens leaves no room in a context of {self.info.context}: shorten it, "
                "or start the server with a longer one"
            )
        return room


async def _linger(exchange: Exchange, events: AsyncGenerator[Any]) -> None:
    """Let the server say what the completion cost, if it does so at once. Not knowing is no failure."""
    with suppress(CoreError, TimeoutError, StopAsyncIteration):
        async with asyncio.timeout(LINGER_S):
            for _ in range(LINGER_EVENTS):
                if exchange.settled:
                    return
                exchange.read(await anext(events))

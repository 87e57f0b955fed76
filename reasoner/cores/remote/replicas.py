"""Several servers of one model as one core. The rest of the runtime sees one core, and knows nothing of this.

A prefix goes where it costs least: what would have to be read there, and what is in flight there before it. A beginning
that all tasks share draws none of them to the server that read it first. When a completion fails, its server is asked
whether it is well: if so, the request was at fault and the error is passed on, unless the server had merely been away;
if not, the server is left out until it answers again. What had not begun to write is asked again. While none answers,
requests wait.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

from reasoner.completions import Completion, CoreInfo, Piece, Sampling, Scored, Valued
from reasoner.cores.remote.core import RemoteCore
from reasoner.cores.remote.wire import Away, Retry
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import CoreError

BLOCK = 32
"""Tokens; what is cached is remembered in whole blocks."""
REMEMBERED = 65_536
"""Blocks for each server: two million tokens, more than one holds."""
QUEUED = 512
"""Tokens to read that a request in flight is as much as: about 200 to write, at two to three times the work each."""
QUICK = Retry(attempts=2, first_s=0.2, most_s=2.0)
"""Another server is a better second try than the same."""

Opening = Callable[[], Awaitable[RemoteCore]]


class Replicas:
    """Made by `connect`. `patience_s` is how long a request waits while no server answers, `pause_s` the time between
    two questions to one that is away.

    Raises (all calls):
        CoreError: a server that is well refused the request, or none answered in time; the next call works again.
    """

    def __init__(self, replicas: Sequence["Replica"], info: CoreInfo, patience_s: float, pause_s: float) -> None:
        self.info = info
        self._replicas = list(replicas)
        self._patience_s, self._pause_s = patience_s, pause_s
        self._asking: set[asyncio.Task[None]] = set()

    @classmethod
    async def connect(
        cls,
        urls: Sequence[str],
        model: str = "",
        *,
        api_key: str | None = None,
        tokenizer_dir: Path | None = None,
        timeout_s: float = 600.0,
        patience_s: float = 180.0,
        pause_s: float = 2.0,
    ) -> "Replicas":
        """Find out what answers at each of `urls`; see `RemoteCore.connect`. One that is away may come later.

        Raises:
            CoreError: none answers, or two serve different models.
            ModelError: `tokenizer_dir` holds no tokenizer.
        """

        def opening(url: str) -> Opening:
            return lambda: RemoteCore.connect(
                url, model, api_key=api_key, tokenizer_dir=tokenizer_dir, timeout_s=timeout_s, retry=QUICK
            )

        replicas = [Replica(url, opening(url)) for url in urls]
        try:
            await asyncio.gather(*(replica.ask() for replica in replicas))
            core = next((replica.core for replica in replicas if replica.core), None)
            if core is None:
                raise CoreError(f"none of {len(replicas)} servers answers; the first said: {replicas[0].trouble}")
            for replica in replicas:
                replica.expected = core.info
                if replica.core and replica.core.info.digest != core.info.digest:
                    raise CoreError(
                        f"{replica.url} serves another model than the others, {replica.core.info.name}, or with other"
                        " settings: give servers of one model"
                    )
        except BaseException:
            await asyncio.gather(*(replica.close() for replica in replicas))
            raise
        rows = sum(replica.core.info.rows for replica in replicas if replica.core)
        return cls(replicas, replace(core.info, rows=rows), patience_s, pause_s)

    @property
    def tokenizer(self) -> Tokenizer:
        return next(replica.core.tokenizer for replica in self._replicas if replica.core)

    async def stream(self, prefix: Sequence[int], sampling: Sampling) -> AsyncGenerator[Piece]:
        begun, until = False, self._until()
        while True:
            replica = await self._one_for(prefix)
            try:
                with replica.serving(prefix) as core:
                    async with aclosing(core.stream(prefix, sampling)) as pieces:
                        async for piece in pieces:
                            begun = True
                            if piece.done:
                                replica.held.add([*prefix, *piece.done.ids])
                            yield piece
                return
            except CoreError as error:
                if begun or not await self._may_ask_again(replica, error, until):
                    raise

    async def complete(self, prefix: Sequence[int], sampling: Sampling) -> Completion:
        async with aclosing(self.stream(prefix, sampling)) as pieces:
            async for piece in pieces:
                if piece.done:
                    return piece.done
        raise CoreError(f"{self.info.name} ended a completion without its end: ask again")

    async def score(self, prefix: Sequence[int], continuation: Sequence[int]) -> Scored:
        whole, until = [*prefix, *continuation], self._until()
        while True:
            replica = await self._one_for(whole)
            try:
                with replica.serving(whole) as core:
                    return await core.score(prefix, continuation)
            except CoreError as error:
                if not await self._may_ask_again(replica, error, until):
                    raise

    async def value(self, prefix: Sequence[int], head: str) -> Valued:
        raise CoreError(f"{self.info.name} has no reward head {head!r}: use a local core")

    async def close(self) -> None:
        for asking in self._asking:
            asking.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        await asyncio.gather(*(replica.close() for replica in self._replicas))

    async def _may_ask_again(self, replica: "Replica", error: CoreError, until: float) -> bool:
        """Whether a request that failed was not at fault itself. A server may be back before it is asked."""
        await replica.ask()
        return replica.is_away or (isinstance(error, Away) and asyncio.get_running_loop().time() < until)

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self._patience_s

    async def _one_for(self, prefix: Sequence[int]) -> "Replica":
        """The server to ask. Waits while all are away."""
        clock = asyncio.get_running_loop().time
        until = self._until()
        while True:
            self._ask_absent(clock())
            well = [replica for replica in self._replicas if not replica.is_away]
            if well:
                return chosen(well, prefix)
            if clock() > until:
                said = self._replicas[0].trouble
                raise CoreError(f"no server answered for {self._patience_s:g} s; the first said: {said}")
            await asyncio.sleep(min(self._pause_s, self._patience_s) / 4)

    def _ask_absent(self, now: float) -> None:
        """Ask those that are away whether they are back, each once in a while; nobody waits for the answer."""
        for replica in self._replicas:
            if replica.is_away and now >= replica.asked_at + self._pause_s:
                replica.asked_at = now
                asking = asyncio.create_task(replica.ask())
                self._asking.add(asking)
                asking.add_done_callback(self._asking.discard)


class Replica:
    """One server: whether it answers, what it is doing, and which prefixes it should have in its cache."""

    def __init__(self, url: str, opening: Opening) -> None:
        self.url = url
        self.core: RemoteCore | None = None
        self.expected: CoreInfo | None = None
        """What it must serve, once that is known."""
        self.flying = 0
        self.served = 0
        self.held = Held()
        self.trouble = ""
        """Why it is away; empty while it answers."""
        self.asked_at = 0.0
        self._opening = opening

    @property
    def is_away(self) -> bool:
        return bool(self.trouble)

    async def ask(self) -> None:
        """Find out whether it answers, and still serves the model."""
        try:
            if self.core is None:
                opened = await self._opening()
                if self.core or (self.expected and opened.info.digest != self.expected.digest):
                    await opened.close()
                if self.expected and opened.info.digest != self.expected.digest:
                    raise CoreError(f"{self.url} serves {opened.info.name}: give servers of one model")
                self.core = self.core or opened
            else:
                await self.core.check()
            self.trouble = ""
        except CoreError as error:
            if not self.trouble:
                self.held = Held()
            self.trouble = str(error)

    @contextmanager
    def serving(self, prefix: Sequence[int]) -> Iterator[RemoteCore]:
        """While it works on a prefix, and from then on holds it."""
        assert self.core is not None
        self.held.add(prefix)
        self.flying += 1
        self.served += 1
        try:
            yield self.core
        finally:
            self.flying -= 1

    async def close(self) -> None:
        if self.core:
            await self.core.close()


class Held:
    """Beginnings of prefixes, in blocks, each block hashed with all before it; the oldest are forgotten."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def add(self, ids: Sequence[int]) -> None:
        for block in _chain(ids):
            self._blocks[block] = None
            self._blocks.move_to_end(block)
        while len(self._blocks) > REMEMBERED:
            self._blocks.popitem(last=False)

    def of(self, ids: Sequence[int]) -> int:
        """How many of the first tokens of `ids` it knows."""
        known = 0
        for block in _chain(ids):
            if block not in self._blocks:
                break
            known += BLOCK
        return known


def chosen(well: Sequence[Replica], prefix: Sequence[int]) -> Replica:
    """Where a prefix costs least; of equals the one that has done least."""
    return min(well, key=lambda r: (len(prefix) - r.held.of(prefix) + QUEUED * r.flying, r.served))


def _chain(ids: Sequence[int]) -> Iterator[int]:
    chain = 0
    for end in range(BLOCK, len(ids) + 1, BLOCK):
        chain = hash((chain, *ids[end - BLOCK : end]))
        yield chain

"""The local core: asyncio in front of the engine's thread. Torch and weights are loaded when a core is made."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reasoner.completions import Completion, CoreInfo, Piece, Sampling, Scored, Valued
from reasoner.dialect.tokenizer import HubTokenizer, Tokenizer
from reasoner.errors import CoreError
from reasoner.models.adapter import Adapter, read
from reasoner.models.directory import digest

if TYPE_CHECKING:
    from reasoner.cores.local.network import Network
    from reasoner.cores.local.rows import Event, Kind

Dtype = Literal["auto", "bfloat16", "float32", "int4"]
Device = Literal["cpu", "cuda", "auto"]
_NONE = Sampling()
_ROW = 512
"""Tokens of a prompt and what is written after it, as most tasks have them: how many rows the KV budget holds."""


class LocalCore:
    """A model in a Hugging Face directory, computed in this process. Satisfies `reasoner.protocols.Core`.

    Everything in flight is one batch, and every prefix that was ever read or written is kept as keys and values until
    `kv_bytes` are used up: going on from an earlier prefix computes only tokens that were never seen.

    Args:
        dtype: of the weights: "auto" is bfloat16 where the device multiplies it, else float32; "int4" makes a single
            stream on a CPU quicker, takes a third more memory than the others, and costs some fidelity
            (benchmarks/core.md).
        kv_bytes: budget of the keys and values of all prefixes together.
        max_rows: completions computed side by side; more wait their turn.
        adapter: a directory with what was trained of this model; its reward heads take the place of the model's own.
        threads: CPU threads of the engine; None leaves it to torch.

    Raises:
        ModelError: the directory cannot be read, or the adapter is damaged or another model's.
        CoreError: the device is missing, or `kv_bytes` holds no token.
    """

    def __init__(
        self,
        directory: Path,
        *,
        dtype: Dtype = "auto",
        device: Device = "auto",
        kv_bytes: int = 512 * 2**20,
        max_rows: int = 64,
        threads: int | None = None,
        adapter: Path | None = None,
    ) -> None:
        known = read(adapter, digest(directory)) if adapter else None
        self._heads = adapter or directory
        with ThreadPoolExecutor(1) as beside:
            loading = beside.submit(_load, directory, dtype, device, adapter, known)
            self._tokenizer = HubTokenizer(directory, known.controls if known else {})
            network = loading.result()
        from reasoner.cores.local.engine import Engine
        from reasoner.cores.local.heads import known_heads
        from reasoner.cores.local.precision import chosen

        self._engine = Engine(network, self._tokenizer, kv_bytes=kv_bytes, max_rows=max_rows, threads=threads)
        self.info = CoreInfo(
            name=_name(directory, adapter),
            digest=known.digest if known else digest(directory),
            context=network.context,
            dtype=chosen(dtype, network.device),
            token_ids=True,
            can_score=True,
            heads=known_heads(self._heads) if network.keeps_hidden else (),
            rows=max(1, min(max_rows, self._engine.cache.capacity // _ROW)),
        )

    @property
    def tokenizer(self) -> Tokenizer:
        return self._tokenizer

    async def stream(self, prefix: Sequence[int], sampling: Sampling) -> AsyncGenerator[Piece]:
        """See `Core.stream`."""
        async for event in self._events("stream", prefix, sampling=sampling):
            assert isinstance(event, Piece)
            yield event
            if event.done:
                return

    async def complete(self, prefix: Sequence[int], sampling: Sampling) -> Completion:
        """See `Core.complete`."""
        event = await self._only("complete", prefix, sampling=sampling)
        assert isinstance(event, Completion)
        return event

    async def score(self, prefix: Sequence[int], continuation: Sequence[int]) -> Scored:
        """See `Core.score`."""
        if not continuation:
            return Scored(())
        event = await self._only("score", prefix, continuation=continuation)
        assert isinstance(event, Scored)
        return event

    async def value(self, prefix: Sequence[int], head: str) -> Valued:
        """See `Core.value`. A head is `heads/<name>.safetensors` in the adapter's directory, or else the model's:
        `weight` (hidden,) and, where it has one, `bias` (1,)."""
        from reasoner.cores.local.heads import load_head
        from reasoner.cores.local.rows import Hidden

        judge = load_head(self._heads, head)
        event = await self._only("hidden", prefix)
        assert isinstance(event, Hidden)
        return Valued(judge(event.state), event.usage)

    async def close(self) -> None:
        await asyncio.to_thread(self._engine.close)

    async def _only(
        self, kind: "Kind", prefix: Sequence[int], *, sampling: Sampling = _NONE, continuation: Sequence[int] = ()
    ) -> "Event":
        events = self._events(kind, prefix, sampling=sampling, continuation=continuation)
        try:
            return await anext(events)
        finally:
            await events.aclose()

    async def _events(
        self, kind: "Kind", prefix: Sequence[int], *, sampling: Sampling = _NONE, continuation: Sequence[int] = ()
    ) -> AsyncGenerator["Event"]:
        """What the engine says about one job; leaving early cancels it."""
        from reasoner.cores.local.rows import Job

        events: asyncio.Queue[Event] = asyncio.Queue()
        send = _sender(asyncio.get_running_loop(), events)
        job = Job(kind, tuple(prefix), send, sampling, tuple(continuation))
        self._engine.submit(job)
        try:
            while True:
                event = await events.get()
                if isinstance(event, CoreError):
                    raise event
                yield event
        finally:
            job.cancelled = True


def _name(directory: Path, adapter: Path | None) -> str:
    """The model and its adapter; one that is named like the model, as what is used by default is, is just called
    taught."""
    if adapter is None:
        return directory.name
    return f"{directory.name}+{'taught' if adapter.name == directory.name else adapter.name}"


def _load(directory: Path, dtype: Dtype, device: Device, adapter: Path | None, known: Adapter | None) -> "Network":
    from reasoner.cores.local.tuning import tune_process

    tune_process()
    from reasoner.cores.local.adapted import Trained
    from reasoner.cores.local.loading import load_network

    return load_network(directory, dtype, device, Trained(adapter, known) if adapter and known else None)


def _sender(loop: asyncio.AbstractEventLoop, events: "asyncio.Queue[Event]") -> "Callable[[Event], None]":
    def send(event: "Event") -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(events.put_nowait, event)

    return send

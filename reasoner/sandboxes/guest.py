"""Calls to one running guest: many at a time, each with a deadline of its own. Knows nothing of snapshots."""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any, Protocol

from reasoner.errors import SandboxError
from reasoner.sandboxes.frames import FrameError, Frames, encode

_WORDS = 500


class Channel(Protocol):
    """A started guest, as its launcher hands it over."""

    async def read(self) -> bytes:
        """The next bytes from the guest, empty when there will be no more."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def stop(self) -> str:
        """Kill it with everything in it, wait, leave nothing behind; its last words. Called once."""
        ...


class GuestLost(SandboxError):
    """The guest is gone, and every snapshot that it held. `broken` when it failed by a fault of its own."""

    def __init__(self, message: str, broken: bool = False) -> None:
        super().__init__(message)
        self.broken = broken


class Guest:
    """The conversation with one guest. After `GuestLost` it is over."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._writing = asyncio.Lock()
        self.lost = ""
        """Why it is gone; empty while it is there."""
        self.programs: set[str] = set()
        """Digests of programs that it was sent, and has kept."""
        self._broken = False
        self._ending: asyncio.Task[None] | None = None
        self._listening = asyncio.create_task(self._listen())

    async def call(self, request: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        """Send one request, wait for its answer.

        Raises:
            GuestLost: it is gone, or did not answer within `deadline_s` and was killed.
        """
        if self.lost:
            raise self._loss()
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(deadline_s):
                await self._send({**request, "id": number})
                return await answer
        except TimeoutError:
            await self._lose(f"the sandbox did not answer within {deadline_s:.1f} s and was killed")
            raise self._loss() from None
        except asyncio.CancelledError:
            if request["op"] == "run" and not self.lost:
                await self._send({"op": "cancel", "run": number, "id": next(self._ids)})
            raise
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        await self._lose("the world is closed")
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _send(self, message: Mapping[str, Any]) -> None:
        async with self._writing:
            try:
                await self._channel.write(encode(message))
            except OSError:  # the reader finds out why
                return

    async def _listen(self) -> None:
        frames = Frames()
        reason = "the sandbox ended by itself"
        try:
            while data := await self._channel.read():
                for message in frames.feed(data):
                    self._answered(message)
        except (OSError, FrameError) as error:
            reason = f"the connection to the sandbox broke ({error})"
        await self._lose(reason)

    def _answered(self, message: dict[str, Any]) -> None:
        answer = self._waiting.get(message.get("id", 0))
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def _lose(self, reason: str) -> None:
        if self._ending is None:
            self.lost = reason
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        words = " ".join((await self._channel.stop()).split())
        self._broken = "Traceback" in words
        if words:
            self.lost = f"{self.lost}; its last words: {words[-_WORDS:]}"
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._loss())

    def _loss(self) -> GuestLost:
        return GuestLost(self.lost, self._broken)

"""Brings a page into a world that has no network: checked, bounded, and the same bytes for whoever asks again.

Each hop is checked anew: its address, the allowlist, robots.txt, and where its name leads. The page itself is never
looked into here; it goes as bytes to a program in the world. What is in the way is a `ToolResult` for the model.

It does not keep an allowed host from learning what is asked of it: the allowlist is all that stops a secret from
leaving in an address.
"""

import asyncio
import base64
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import httpcore
import httpx

from reasoner.broker.cache import Cache
from reasoner.broker.exchange import AGENT, Exchange, Reply, Wanted
from reasoner.broker.network import CheckedNetwork, Resolve, system_resolver
from reasoner.broker.refused import Refused, shown
from reasoner.broker.robots import SIZE, Robots
from reasoner.broker.urls import Allowlist, parse
from reasoner.protocols import Permit
from reasoner.types import Json, ToolResult

TYPES = frozenset(
    {
        "application/json",
        "application/xhtml+xml",
        "application/xml",
        "text/csv",
        "text/html",
        "text/markdown",
        "text/plain",
        "text/xml",
    }
)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEPT = _REDIRECTS | {200, 404, 410}
"""What stays true for a while; everything else is asked again."""
_ROBOTS = Wanted(None, SIZE, cut=True)
_ROBOTS_S = 24 * 3600.0
"""For so long a robots.txt may be believed (RFC 9309, 2.4)."""
_AT_ONCE = 4


@dataclass(frozen=True)
class Bounds:
    """Of one fetch, all its hops together: seconds, bytes of the unpacked page, redirects."""

    wall_s: float = 20.0
    size: int = 4 * 2**20
    redirects: int = 5


class Fetch:
    """A service for tools with `host = "fetch"`: arguments with a `url` -> what the program needs to make text of it.

    `resolve` and `connect` are the network: names to addresses, and addresses to connections. Whatever they are, only
    public addresses are connected to. `permit` is asked about the host of an address that is not allowed, before
    anything is sent; a redirect to such a host is refused unasked.

    Raises:
        ConfigError: `allow` holds something that is no pattern of hosts.
    """

    def __init__(
        self,
        allow: Iterable[str],
        cache: Path,
        *,
        permit: Permit | None = None,
        refresh: bool = False,
        bounds: Bounds = Bounds(),
        resolve: Resolve = system_resolver,
        connect: httpcore.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._allow, self._cache, self._bounds, self._clock = Allowlist(allow), Cache(cache), bounds, clock
        self._permit = permit
        self._exchange = Exchange(CheckedNetwork(resolve, connect or httpcore.AnyIOBackend()), tls)
        self._page = Wanted(TYPES, bounds.size)
        self._since = clock() if refresh else 0.0
        """What was kept before is asked again, once: within one search all branches see the same bytes."""
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, arguments: Json) -> dict[str, Any] | ToolResult:
        """`{"url", "type", "charset", "body"}` with the body in base64, or why there is none.

        Raises:
            ToolError: the disk refuses to keep or give what was read.
        """
        asked = arguments.get("url")
        if not isinstance(asked, str):
            return ToolResult(error="refused", detail="fetch wants the address as text, in `url`")
        async with self._turns:
            try:
                url = parse(asked)
                allow = await self._permitted(url)
                async with asyncio.timeout(self._bounds.wall_s):
                    url, reply = await self._read(url, allow)
            except Refused as refused:
                return ToolResult(error=refused.error, detail=str(refused))
            except TimeoutError:
                return ToolResult(error="timeout", detail=f"{shown(asked)} took more than {self._bounds.wall_s:g} s")
        body = base64.b64encode(reply.body).decode("ascii")
        return {"url": str(url), "type": reply.type, "charset": reply.charset, "body": body}

    async def _permitted(self, url: httpx.URL) -> Allowlist:
        """What may be read on the way from this address."""
        host = url.raw_host.decode("ascii")
        if host not in self._allow and self._permit and await self._permit(host):
            return self._allow.adding(host)
        return self._allow

    async def _read(self, asked: httpx.URL, allow: Allowlist) -> tuple[httpx.URL, Reply]:
        url, reply = await self._follow(asked, self._page, allow)
        if reply.status != 200:
            raise Refused(f"{shown(str(url))} answered {_words(reply.status)}", "raised")
        return url, reply

    async def _follow(self, url: httpx.URL, wanted: Wanted, allow: Allowlist) -> tuple[httpx.URL, Reply]:
        """The reply at the end of all redirects, and where that was. Each hop is checked like the first."""
        came = ""
        for _ in range(self._bounds.redirects + 1):
            try:
                allow.check(url)
                reply = await self._reply(url, wanted, allow)
                if reply.status not in _REDIRECTS:
                    return url, reply
                came = f"{shown(str(url))} redirects: "
                url = parse(reply.location, url)
            except Refused as refused:
                raise Refused(f"{came}{refused}", refused.error) from refused
        raise Refused(f"{came}more than {self._bounds.redirects} times", "raised")

    async def _reply(self, url: httpx.URL, wanted: Wanted, allow: Allowlist) -> Reply:
        """What one address answers: as it was kept, else asked for, where robots.txt does not mind."""
        robots = wanted is _ROBOTS
        key = f"{'robots' if robots else 'page'} {url}"
        since = max(self._since, self._clock() - _ROBOTS_S) if robots else self._since
        if (kept := self._kept(key, since, wanted)) is not None:
            return kept
        if not robots:
            await self._ask_robots(url, allow)
        async with self._asking.setdefault(key, asyncio.Lock()):
            if (kept := self._kept(key, since, wanted)) is not None:
                return kept
            reply = await self._exchange.get(url, wanted)
            if reply.status in _KEPT:
                self._cache.put(key, reply, self._clock())
            return reply

    def _kept(self, key: str, since: float, wanted: Wanted) -> Reply | None:
        reply = self._cache.get(key, since)
        if reply is not None and reply.status == 200:
            wanted.check(reply)
        return reply

    async def _ask_robots(self, url: httpx.URL, allow: Allowlist) -> None:
        """Raises Refused when the host does not want us there, or when nobody can say so."""
        place = url.copy_with(raw_path=b"/robots.txt")
        if url == place:
            return
        try:
            _, reply = await self._follow(place, _ROBOTS, allow)
        except Refused as refused:
            raise Refused(f"{shown(str(place))} says who may read there: {refused}", refused.error) from refused
        if reply.status == 429 or reply.status >= 500:
            raise Refused(f"{shown(str(place))} says who may read there, and answered {_words(reply.status)}", "raised")
        if reply.status != 200:
            return
        rules = await asyncio.to_thread(Robots, reply.body, AGENT)
        if not await asyncio.to_thread(rules.allows, url.raw_path.decode("ascii")):
            raise Refused(f"{shown(str(place))} asks programs not to read {shown(url.raw_path.decode('ascii'))}")


def _words(status: int) -> str:
    """A status with its standard words: those of the server are not passed on."""
    known = status in HTTPStatus.__members__.values()
    return f"{status} {HTTPStatus(status).phrase}" if known else str(status)

"""Connects to checked addresses only. A name is looked up once, and what was checked is what is connected to.

So there is no second look-up that could be answered differently. TLS and the Host header go on using the name: they are
httpcore's work, above this.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import httpcore

from reasoner.broker.addresses import is_public
from reasoner.broker.refused import Refused

Resolve = Callable[[str], Awaitable[list[str]]]
"""A host's name -> all its addresses. Raises OSError when there are none."""

_TRIED = 4
"""Addresses of one host that are tried, in the resolver's order,"""
_CONNECT_S = 5.0
"""each for so long."""


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """A network in which only public addresses exist. `inner` is given addresses, never names."""

    def __init__(self, resolve: Resolve, inner: httpcore.AsyncNetworkBackend) -> None:
        self._resolve, self._inner = resolve, inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises Refused when the host has no address, or one that is not public."""
        *others, last = await self._checked(host)
        for address in others:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._inner.connect_tcp(address, port, _CONNECT_S, local_address, socket_options)
        return await self._inner.connect_tcp(last, port, _CONNECT_S, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise Refused("a socket of this machine cannot be reached")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _checked(self, host: str) -> list[str]:
        """One address that is not public spoils all of them: a name that leads inside is not to be trusted outside."""
        try:
            addresses = await self._resolve(host)
        except OSError as error:
            raise Refused(f"the name {host} cannot be resolved", "raised") from error
        if not addresses or not all(map(is_public, addresses)):
            raise Refused(f"the name {host} leads to an address that is not on the public internet")
        return addresses[:_TRIED]


async def system_resolver(host: str) -> list[str]:
    """All addresses that this machine's resolver gives for a name, each once."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))

"""A small web of our own: names and public addresses that exist only here, all served by this process.

The broker is given its resolver and its connector, so everything above them is what users run. No address of this
machine is ever what the broker asks for: the connector is told a public address and answers from a local port.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpcore
import pytest
import pytest_asyncio
import trustme

from reasoner.broker import Bounds, Fetch
from reasoner.types import ToolResult

PUBLIC = "93.184.215.14"
ROBOTS = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]


def page(body: bytes, *headers: str, status: str = "200 OK", type: str = "text/html") -> bytes:
    """A whole answer with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    if type:
        lines.append(f"Content-Type: {type}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return page(b"", f"Location: {location}", status=status, type="")


class Web(httpcore.AsyncNetworkBackend):
    """`pages`: (host, path) -> the bytes of an answer, or a function that writes them; `names`: host -> addresses."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {"a.org": [PUBLIC], "b.org": ["2606:2800:21f::1", "93.184.215.15"]}
        self.pages: dict[tuple[str, str], bytes | Handler] = {}
        self.looked_up: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.refusing: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.heads: list[str] = []
        self.ports: dict[int, int] = {}
        self._inner = httpcore.AnyIOBackend()
        self._serving: list[asyncio.Task[None]] = []

    async def resolve(self, host: str) -> list[str]:
        self.looked_up.append(host)
        if host not in self.names:
            raise OSError("no such name")
        return self.names[host]

    async def connect_tcp(self, host: str, port: int, *rest: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        self.connected.append((host, port))
        if host in self.refusing:
            raise httpcore.ConnectError("refused")
        return await self._inner.connect_tcp("127.0.0.1", self.ports[port])

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.append(asyncio.create_task(self._answer(reader, writer)))

    async def close(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            host = next(line[5:].strip() for line in head.split("\r\n") if line.lower().startswith("host:"))
            path = head.split(" ")[1]
            self.asked.append((host, path))
            self.heads.append(head)
            answer = self.pages.get((host, path), ROBOTS if path == "/robots.txt" else page(b"", status="404 No"))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the broker has read enough
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


AUTHORITY = trustme.CA()
SERVED = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
AUTHORITY.issue_cert("a.org").configure_cert(SERVED)
TRUSTING = ssl.create_default_context()
AUTHORITY.configure_trust(TRUSTING)


@pytest_asyncio.fixture
async def web() -> Any:
    """The web, on a plain and on a TLS port."""
    made = Web()
    servers = [
        await asyncio.start_server(made.serve, "127.0.0.1", 0, limit=2**20),
        await asyncio.start_server(made.serve, "127.0.0.1", 0, limit=2**20, ssl=SERVED),
    ]
    made.ports = {port: server.sockets[0].getsockname()[1] for port, server in zip((80, 443), servers, strict=True)}
    yield made
    await made.close()
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
def fetch(web: Web, tmp_path: Path) -> Callable[..., Fetch]:
    """`fetch("a.org", ...)` is a broker over the web that allows these hosts."""

    def make(
        *allow: str, cache: Path = tmp_path / "pages", wall_s: float = 20, size: int = 2**20, **more: Any
    ) -> Fetch:
        bounds = Bounds(wall_s, size)
        return Fetch(allow, cache, bounds=bounds, **{"resolve": web.resolve, "connect": web, "tls": TRUSTING, **more})

    return make


async def refusal(service: Fetch, url: str) -> ToolResult:
    """What a fetch that brings nothing says."""
    answer = await service({"url": url})
    assert isinstance(answer, ToolResult), answer
    assert answer.error and answer.value is None
    assert answer.detail.isprintable() and len(answer.detail) < 600
    return answer

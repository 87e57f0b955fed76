"""One GET: a request of ours, the head of the answer, and as much of its body as is allowed.

httpcore speaks HTTP; there is no cookie, no proxy, no environment, no redirect here. Every exchange has a connection of
its own. How long it may take is the caller's to say.
"""

import re
import ssl
from dataclasses import dataclass

import httpcore
import httpx

from reasoner.broker.refused import Refused, shown
from reasoner.broker.unpacking import unpacker

AGENT = "reasoner"
"""The name under which robots.txt speaks to us."""
_HEADERS = [
    ("User-Agent", f"{AGENT}/0.1 (a fetch that a user allowed; robots.txt is respected)"),
    ("Accept", "text/html,application/xhtml+xml,text/*;q=0.9,application/json;q=0.9,*/*;q=0.1"),
    ("Accept-Encoding", "gzip"),
    ("Connection", "close"),
]
_TYPE = re.compile(r"\s*([\w.+-]{1,60}/[\w.+-]{1,60})\s*(?:;|\Z)", re.ASCII)
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([\w.:-]{1,40})", re.ASCII | re.IGNORECASE)
_UNREACHED = (httpcore.NetworkError, httpcore.TimeoutException, OSError)


@dataclass(frozen=True)
class Reply:
    """What a server answered. `type` and `charset` are empty where they are not said; so is `body` unless `status` is
    200."""

    status: int
    type: str = ""
    charset: str = ""
    location: str = ""
    body: bytes = b""


@dataclass(frozen=True)
class Wanted:
    """What may be in a body: its media types (None: all), its bytes, and whether a longer one is cut or refused."""

    types: frozenset[str] | None
    most: int
    cut: bool = False

    def check(self, reply: Reply) -> None:
        """Raises Refused when a reply, fresh or kept, is not what may be in it."""
        if self.types is not None and reply.type not in self.types:
            raise Refused(f"it is of the type {reply.type or 'unknown'}, which is not read")
        if len(reply.body) > self.most and not self.cut:
            raise Refused(f"it is larger than {self.most} bytes", "output")


class Exchange:
    """Asks over `network`, which decides what can be reached at all."""

    def __init__(self, network: httpcore.AsyncNetworkBackend, tls: ssl.SSLContext | None) -> None:
        self._network, self._tls = network, tls

    async def get(self, url: httpx.URL, wanted: Wanted) -> Reply:
        """Raises Refused."""
        # The address is handed over in its parts: a second reading of its text could come out differently.
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=None, target=url.raw_path)
        self._tls = self._tls or httpx.create_ssl_context()
        try:
            async with (
                httpcore.AsyncConnectionPool(self._tls, network_backend=self._network) as pool,
                pool.stream("GET", target, headers=_HEADERS) as response,
            ):
                return await _read(response, wanted)
        except httpcore.ProtocolError as error:  # its text quotes the server, so it is not passed on
            raise Refused("what it answers is not HTTP, or ends too soon", "raised") from error
        except _UNREACHED as error:
            cause = shown(str(error)) or type(error).__name__
            raise Refused(f"it could not be read ({cause})", "raised") from error


async def _read(response: httpcore.Response, wanted: Wanted) -> Reply:
    reply = _head(response)
    if reply.status != 200:
        return reply
    wanted.check(reply)
    announced = _header(response, b"content-length")
    if announced.isdecimal() and int(announced) > wanted.most and not wanted.cut:
        raise Refused(f"it is larger than {wanted.most} bytes", "output")
    body = await _body(response, wanted)
    return Reply(reply.status, reply.type, reply.charset, body=body)


async def _body(response: httpcore.Response, wanted: Wanted) -> bytes:
    unpack, body = unpacker(_header(response, b"content-encoding")), bytearray()
    async for chunk in response.aiter_stream():
        body += unpack.feed(chunk, wanted.most - len(body) + 1)
        if len(body) > wanted.most:
            if wanted.cut:
                return bytes(body[: wanted.most])
            raise Refused(f"it is larger than {wanted.most} bytes", "output")
        if unpack.done:
            break
    unpack.finish()
    return bytes(body)


def _head(response: httpcore.Response) -> Reply:
    said = _header(response, b"content-type")
    media, charset = _TYPE.match(said), _CHARSET.search(said)
    return Reply(
        response.status,
        media[1].lower() if media else "",
        charset[1].lower() if charset else "",
        _header(response, b"location"),
    )


def _header(response: httpcore.Response, name: bytes) -> str:
    """A header's text; of several, joined as HTTP says."""
    return ", ".join(value.decode("utf-8", "replace") for key, value in response.headers if key.lower() == name)

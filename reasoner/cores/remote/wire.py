"""HTTP to one server: retries with back-off, one deadline a call, server-sent events, and errors a person can use.

It knows no model and no field of any server. The key is sent in a header and appears nowhere else: whatever a server
says is searched for it before it is shown.

    retried      the server cannot be reached, 429 (after the time it asks for), 500 and up
    not retried  any other status, an answer that is not JSON, a stream that breaks off: its tokens may have been shown
"""

import asyncio
import json
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import httpx

from reasoner.errors import CoreError, RefusedError

ANSWER_CAP = 64 * 2**20
LINE_CAP = 4 * 2**20
"""Bytes of an answer and of a line in a stream; a server that sends more is broken or hostile."""

_REMEDIES = {
    400: "shorten the prompt or correct the model's name",
    401: "set OPENAI_API_KEY to a key that this server accepts",
    403: "set OPENAI_API_KEY to a key that may use this model",
    404: "check the URL and the model's name",
    413: "shorten the prompt",
    429: "wait, or run fewer branches at once",
}
_REFUSED = (400, 413, 422)
"""What a server says of a request that it reads, and does not take."""


class Away(CoreError):
    """The server cannot be reached, or says that it cannot serve now: the request itself may be well."""


@dataclass(frozen=True)
class Retry:
    """The nth wait is `first_s` doubled n times, at most `most_s`, shortened by up to half through `jitter` (0..1)."""

    attempts: int = 5
    first_s: float = 0.5
    most_s: float = 20.0
    jitter: Callable[[], float] = random.random

    def pause(self, attempt: int) -> float:
        return min(self.most_s, self.first_s * 2.0**attempt) * (1 - self.jitter() / 2)


@dataclass(frozen=True)
class _Trouble:
    """Why an attempt failed, and how long the server asks to wait before the next."""

    text: str
    wait_s: float | None = None


@dataclass(frozen=True)
class _Deadline:
    at: float
    """Of the event loop's clock."""
    seconds: float
    """What the whole call was given."""


class Wire:
    """Paths that begin with "/v1" go to the OpenAI-compatible part of the server, others to its root.

    Raises (all calls):
        RefusedError: the server does not take this request.
        CoreError: it cannot be reached, fails, answers what is not JSON, breaks off, or takes too long.
    """

    def __init__(self, base_url: str, api_key: str | None, timeout_s: float, retry: Retry) -> None:
        self._key = api_key or ""
        self._timeout_s = timeout_s
        self._retry = retry
        self._api, self._root = _split(base_url)
        self.name = str(self._root.copy_with(userinfo=b"")).rstrip("/")
        """The server as errors call it."""
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx.Timeout(None, connect=min(10.0, timeout_s)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def ask(self, method: str, path: str, body: Any = None, *, within_s: float = math.inf) -> Any:
        """One JSON answer, within the time of a call or less."""
        deadline = self._deadline(within_s)
        response = await self._open(method, path, body, deadline)
        try:
            return self._parse(await self._whole(response, deadline), path)
        finally:
            await response.aclose()

    async def events(self, path: str, body: Any) -> AsyncGenerator[Any]:
        """The JSON of each server-sent event, up to `[DONE]` or the end. Closing it drops the connection: that is how
        a server learns that nobody waits for the rest."""
        deadline = self._deadline()
        response = await self._open("POST", path, body, deadline)
        try:
            async with aclosing(_lines(response)) as lines:
                data: list[str] = []
                while (line := await self._next(lines, path, deadline)) is not None:
                    if line.startswith("data:"):
                        data.append(line[5:].removeprefix(" "))
                    elif line.startswith("error:"):
                        raise CoreError(f"{self.name} failed while it wrote: {self.shown(line[6:])}")
                    elif not line and data:
                        text, data = "\n".join(data), []
                        if text.strip() == "[DONE]":
                            return
                        yield self._event(text, path)
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._client.aclose()

    def _deadline(self, within_s: float = math.inf) -> _Deadline:
        seconds = min(self._timeout_s, within_s)
        return _Deadline(asyncio.get_running_loop().time() + seconds, seconds)

    def _url(self, path: str) -> httpx.URL:
        base, rest = (self._api, path[3:]) if path.startswith("/v1/") else (self._root, path)
        return base.copy_with(path=base.path.rstrip("/") + rest)

    async def _open(self, method: str, path: str, body: Any, deadline: _Deadline) -> httpx.Response:
        """An answer with status 200, its body unread."""
        trouble = _Trouble("was not asked")
        for attempt in range(self._retry.attempts):
            if attempt:
                await self._pause(trouble, attempt, deadline)
            found = await self._attempt(self._client.build_request(method, self._url(path), json=body), deadline)
            if isinstance(found, httpx.Response):
                return found
            trouble = found
        raise Away(f"{self.name} {trouble.text}, {self._retry.attempts} times: {_remedy(trouble.text)}")

    async def _attempt(self, request: httpx.Request, deadline: _Deadline) -> "httpx.Response | _Trouble":
        try:
            async with asyncio.timeout_at(deadline.at):
                response = await self._client.send(request, stream=True)
        except TimeoutError:
            self._late(deadline)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return _Trouble(f"cannot be reached ({self.shown(str(error)) or type(error).__name__})")
        except httpx.TransportError as error:
            return _Trouble(f"broke off ({self.shown(str(error)) or type(error).__name__})")
        if response.status_code == 200:
            return response
        try:
            said = _message(await self._whole(response, deadline))
        finally:
            await response.aclose()
        status = response.status_code
        text = f"answered {status} to {request.url.path} ({self.shown(said)})"
        if status == 429 or (status >= 500 and status != 501):
            return _Trouble(text, _retry_after(response.headers.get("retry-after", "")))
        kind = RefusedError if status in _REFUSED else CoreError
        raise kind(f"{self.name} {text}: {_REMEDIES.get(status, 'check the URL')}")

    async def _pause(self, trouble: _Trouble, attempt: int, deadline: _Deadline) -> None:
        wait = self._retry.pause(attempt - 1) if trouble.wait_s is None else trouble.wait_s
        left = deadline.at - asyncio.get_running_loop().time()
        if wait >= left:
            raise CoreError(
                f"{self.name} {trouble.text}; the next try in {wait:.0f} s would be past the {deadline.seconds:g} s "
                f"that a call may take: {_remedy(trouble.text)}"
            )
        await asyncio.sleep(wait)

    async def _whole(self, response: httpx.Response, deadline: _Deadline) -> bytes:
        parts, size = [], 0
        try:
            async with asyncio.timeout_at(deadline.at):
                async for part in response.aiter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > ANSWER_CAP:
                        raise CoreError(f"{self.name} answered more than {ANSWER_CAP >> 20} MiB: check the URL")
        except TimeoutError:
            self._late(deadline)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise CoreError(f"{self.name} broke off its answer ({self.shown(str(error))}): ask again") from error
        return b"".join(parts)

    async def _next(self, lines: AsyncIterator[str], path: str, deadline: _Deadline) -> str | None:
        try:
            async with asyncio.timeout_at(deadline.at):
                return await anext(lines, None)
        except TimeoutError:
            self._late(deadline)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise CoreError(
                f"{self.name} broke off in the middle of {path} ({self.shown(str(error))}): ask again, "
                "and look at the server's log"
            ) from error

    def _late(self, deadline: _Deadline) -> NoReturn:
        raise CoreError(
            f"{self.name} did not finish its answer within {deadline.seconds:g} s: look at the server's log, "
            "or allow it more time"
        ) from None

    def _parse(self, text: str | bytes, path: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise CoreError(
                f"{self.name} answered {path} with what is not JSON ({self.shown(text)}): "
                "check that the URL is that of a model server"
            ) from error

    def _event(self, text: str, path: str) -> Any:
        event = self._parse(text, path)
        if isinstance(event, dict) and event.get("error"):
            raise CoreError(f"{self.name} failed while it wrote ({self.shown(_message(text.encode()))}): ask again")
        return event

    def shown(self, text: str | bytes) -> str:
        """What a server said, on one line, short, without the key."""
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        if self._key:
            said = said.replace(self._key, "***")
        said = " ".join(said.split())
        return said if len(said) <= 300 else said[:300] + "…"


def _split(base_url: str) -> tuple[httpx.URL, httpx.URL]:
    """The URL of the OpenAI-compatible part, and that of the server itself."""
    try:
        url = httpx.URL(base_url.rstrip("/"))
    except httpx.InvalidURL as error:
        raise CoreError(f"{base_url!r} is not a URL ({error}): write it as http://127.0.0.1:8000/v1") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise CoreError(f"{base_url!r} is not the URL of a server: write it as http://127.0.0.1:8000/v1")
    if url.path in ("", "/"):
        return url.copy_with(path="/v1"), url
    return url, url.copy_with(path=url.path.removesuffix("/v1") or "/")


def _message(body: bytes) -> str:
    """The sentence inside an error: each server wraps it differently."""
    try:
        said = json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
    for key in ("error", "message", "detail"):
        if isinstance(said, dict) and said.get(key):
            said = said[key]
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def _retry_after(value: str) -> float | None:
    """Seconds, from a number or a date."""
    if value.strip().isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _remedy(trouble: str) -> str:
    if trouble.startswith("cannot be reached"):
        return "start the server, or correct the URL"
    return _REMEDIES[429] if "answered 429" in trouble else "look at the server's log"


async def _lines(response: httpx.Response) -> AsyncGenerator[str]:
    """Lines of a body whose server may send any bytes at all; an empty one ends it, as it ends every event."""
    rest = b""
    async for part in response.aiter_bytes():
        *lines, rest = (rest + part).replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace")
        if len(rest) > LINE_CAP:
            raise CoreError(f"the server sent a line of more than {LINE_CAP >> 20} MiB: check the URL")
    yield rest.decode("utf-8", "replace")
    yield ""

"""HTTP: what is tried again, what is not, and what an error may say."""

import asyncio
import time
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from reasoner.cores.remote.wire import Retry, Wire
from reasoner.errors import CoreError
from tests.cores.remote.conftest import EAGER, Answer, Server, events, says

PATH = "/v1/completions"


async def read(wire: Wire) -> list[Any]:
    return [event async for event in wire.events(PATH, {"stream": True})]


async def test_events_are_read_whatever_the_chunks_the_line_ends_and_the_comments(server: Server, wire: Wire) -> None:
    body = b': ping\r\n\r\ndata: {"a": "\xe2\x98\x83"}\r\n\r\nevent: x\ndata:{"a":\ndata: 2}\n\ndata: [DONE]\n\n{}'
    server.on(PATH, Answer(tuple(body[i : i + 1] for i in range(len(body)))))
    assert await read(wire) == [{"a": "☃"}, {"a": 2}]


async def test_a_last_event_without_an_empty_line_counts(server: Server, wire: Wire) -> None:
    server.on(PATH, Answer((b'data: {"a": 1}',)))
    assert await read(wire) == [{"a": 1}]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_passing_failure_is_tried_again(server: Server, wire: Wire, status: int) -> None:
    server.on(PATH, says({}, status), says({}, status), events({"a": 1}))
    assert await read(wire) == [{"a": 1}]
    assert len(server.asked) == 3


async def test_a_server_that_hangs_up_is_tried_again(server: Server, wire: Wire) -> None:
    server.on(PATH, Answer(then="slam"), events({"a": 1}))
    assert await read(wire) == [{"a": 1}]


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (400, "shorten the prompt or correct the model's name"),
        (401, "OPENAI_API_KEY"),
        (404, "check the URL"),
        (422, "check the URL"),
        (307, "check the URL"),
    ],
)
async def test_a_refusal_is_not_tried_again(server: Server, wire: Wire, status: int, remedy: str) -> None:
    server.on(PATH, says({"error": {"message": "context is\n 64"}}, status))
    with pytest.raises(CoreError, match=rf"answered {status} to /v1/completions \(context is 64\): .*{remedy}"):
        await read(wire)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("status", "remedy"), [(429, "fewer branches"), (500, "look at the server's log")])
async def test_retries_end(server: Server, wire: Wire, status: int, remedy: str) -> None:
    server.on(PATH, says({"detail": "no"}, status))
    with pytest.raises(CoreError, match=rf"answered {status} to .* \(no\), 3 times: .*{remedy}"):
        await read(wire)
    assert len(server.asked) == 3


async def test_the_time_a_server_asks_for_is_waited(server: Server, wire: Wire) -> None:
    server.on(PATH, says({}, 429, "Retry-After: 1"), events({"a": 1}))
    started = time.monotonic()
    assert await read(wire) == [{"a": 1}]
    assert 1.0 <= time.monotonic() - started < 4.0


@pytest.mark.parametrize("header", ["3600", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)])
async def test_a_wait_past_the_deadline_is_an_error_at_once(server: Server, wire: Wire, header: str) -> None:
    server.on(PATH, says({}, 429, f"Retry-After: {header}"))
    started = time.monotonic()
    with pytest.raises(CoreError, match=r"next try in 3\d{3} s would be past the 5 s that a call may take"):
        await read(wire)
    assert time.monotonic() - started < 2


def test_pauses_grow_to_their_bound_and_the_jitter_shortens_them() -> None:
    still = Retry(first_s=1.0, most_s=5.0, jitter=lambda: 0.0)
    assert [still.pause(n) for n in range(4)] == [1.0, 2.0, 4.0, 5.0]
    assert Retry(first_s=1.0, jitter=lambda: 1.0).pause(0) == 0.5


@pytest.mark.parametrize("then", ["never", "stall"])
async def test_a_server_that_never_ends_is_left_at_the_deadline(server: Server, then: str) -> None:
    wire = Wire(server.url, None, 0.2, EAGER)
    server.on(PATH, Answer((b": ping\n\n",) if then == "stall" else (), then=then))
    with pytest.raises(CoreError, match=r"did not finish its answer within 0.2 s"):
        await read(wire)
    await asyncio.wait_for(server.dropped.wait(), 5)
    await wire.close()


async def test_nobody_at_the_address_says_so() -> None:
    wire = Wire("http://127.0.0.1:9/v1", None, 5.0, EAGER)
    with pytest.raises(CoreError, match=r"http://127.0.0.1:9 cannot be reached .*3 times: start the server"):
        await wire.ask("GET", "/v1/models")
    await wire.close()


async def test_a_stream_that_breaks_off_is_not_started_again(server: Server, wire: Wire) -> None:
    server.on(PATH, events({"a": 1}, done=False, then="cut"))
    stream = wire.events(PATH, {})
    assert await anext(stream) == {"a": 1}
    with pytest.raises(CoreError, match="broke off in the middle of /v1/completions"):
        await anext(stream)
    assert len(server.asked) == 1


@pytest.mark.parametrize("garbage", [b"<html>", b"\xff\xfe\x00", b'{"a": '])
async def test_what_is_not_json_says_so(server: Server, wire: Wire, garbage: bytes) -> None:
    server.on(PATH, Answer((b"data: " + garbage + b"\n\n",)))
    server.on("/v1/models", Answer((garbage,)))
    with pytest.raises(CoreError, match="what is not JSON"):
        await read(wire)
    with pytest.raises(CoreError, match="what is not JSON"):
        await wire.ask("GET", "/v1/models")


async def test_an_error_in_the_stream_is_an_error(server: Server, wire: Wire) -> None:
    server.on(PATH, events({"error": {"message": "out of memory"}}))
    with pytest.raises(CoreError, match=r"failed while it wrote \(out of memory\)"):
        await read(wire)


async def test_a_line_without_end_is_cut_short(server: Server, wire: Wire) -> None:
    server.on(PATH, Answer((b"data: " + b"x" * 2**20,) * 6))
    with pytest.raises(CoreError, match="a line of more than 4 MiB"):
        await read(wire)


async def test_closing_the_events_drops_the_connection(server: Server, wire: Wire) -> None:
    server.on(PATH, events({"a": 1}, done=False, then="stall"))
    async with aclosing(wire.events(PATH, {})) as stream:
        assert await anext(stream) == {"a": 1}
    await asyncio.wait_for(server.dropped.wait(), 5)


@pytest.mark.parametrize("status", [400, 500])
async def test_the_key_is_sent_and_never_shown(
    server: Server, wire: Wire, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    server.on(PATH, says({"error": "the key sk-secret is not known, header Bearer sk-secret"}, status))
    with pytest.raises(CoreError) as caught:
        await read(wire)
    assert server.asked[0].headers["authorization"] == "Bearer sk-secret"
    assert "***" in str(caught.value)
    assert "sk-secret" not in str(caught.value) + caplog.text + repr(wire)


async def test_a_name_and_password_in_the_url_are_not_shown(server: Server) -> None:
    wire = Wire(server.url.replace("//", "//me:pass@"), None, 5.0, EAGER)
    with pytest.raises(CoreError) as caught:
        await wire.ask("GET", "/nowhere")
    assert "pass" not in str(caught.value)
    await wire.close()


@pytest.mark.parametrize(
    ("base", "paths"),
    [("", ["/v1/models", "/props"]), ("/v1", ["/v1/models", "/props"]), ("/v1/", ["/v1/models", "/props"]),
     ("/api/openai", ["/api/openai/models", "/api/openai/props"]), ("/a/v1", ["/a/v1/models", "/a/props"])],
)  # fmt: skip
async def test_a_base_url_is_taken_with_or_without_its_version(server: Server, base: str, paths: list[str]) -> None:
    for path in paths:
        server.on(path, says({}))
    wire = Wire(server.url + base, None, 5.0, EAGER)
    await wire.ask("GET", "/v1/models")
    await wire.ask("GET", "/props")
    assert [asked.path for asked in server.asked] == paths
    await wire.close()


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://", "http://[::1"])
def test_what_is_not_a_url_is_named(url: str) -> None:
    with pytest.raises(CoreError, match="write it as http"):
        Wire(url, None, 5.0, EAGER)

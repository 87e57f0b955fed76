"""A server's model keeps the promises of a core."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoner.completions import Sampling
from reasoner.errors import CoreError, RefusedError
from reasoner.protocols import Core
from tests.cores.remote.conftest import Answer, Server, events, listing, says

PATH = "/v1/completions"


def chunk(*ids: int, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"token_ids": list(ids), "finish_reason": finish}]}


@pytest.fixture
async def core(server: Server, connect: Callable[..., Any], bytes_dir: Path) -> Any:
    server.on("/v1/models", listing("vllm"))
    server.on(PATH, events(chunk(1)))
    made: Core = await connect(tokenizer_dir=bytes_dir, api_key="sk-secret")
    return made


@pytest.mark.parametrize(
    ("prefix", "sampling", "message"),
    [
        ([], Sampling(), "the prompt is empty"),
        ([257], Sampling(), "token id 257 is not below 257"),
        ([-1], Sampling(), "token id -1"),
        ([1] * 64, Sampling(), "a prompt of 64 tokens leaves no room in a context of 64"),
        ([1], Sampling(max_tokens=0), "max_tokens is 0"),
    ],
)
async def test_a_request_that_cannot_be_served_is_not_sent(
    server: Server, core: Any, prefix: list[int], sampling: Sampling, message: str
) -> None:
    sent = len(server.asked)
    with pytest.raises(CoreError, match=message):
        await core.complete(prefix, sampling)
    assert len(server.asked) == sent


async def test_no_more_is_asked_for_than_the_context_holds(server: Server, core: Any) -> None:
    server.on(PATH, events(chunk(7, 8, 9, 10, 11)))
    done = await core.complete([1] * 60, Sampling(max_tokens=500))
    assert (len(done.ids), done.finish) == (4, "length")
    assert server.bodies(PATH)[-1]["max_tokens"] == 4


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (says({"error": {"message": "no"}}, 400), "answered 400"),
        (says({}, 429), "answered 429 .* 3 times"),
        (says({}, 500), "answered 500 .* 3 times"),
        (Answer((b"data: {]\n\n",)), "not JSON"),
        (Answer((b"nothing at all",)), "broke off after 0 tokens"),
        (events(chunk(7), done=False), "broke off after 1 tokens"),
        (events(chunk(7), done=False, then="cut"), "broke off in the middle"),
    ],
)
async def test_whatever_a_server_does_is_a_core_error_and_the_next_call_works(
    server: Server, core: Any, answer: Answer, message: str
) -> None:
    server.on(PATH, answer)
    with pytest.raises(CoreError, match=message) as caught:
        await core.complete([1], Sampling(max_tokens=9))
    assert "sk-secret" not in str(caught.value)
    server.on(PATH, events(chunk(7, finish="stop")))
    assert (await core.complete([1], Sampling(max_tokens=9))).ids == (7,)


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_request_is_refused_where_the_server_goes_on_to_complete_another(
    server: Server, core: Any, status: int
) -> None:
    no, yes = says({"error": "too long"}, status), events(chunk(7, finish="stop"))
    server.on(PATH, no)
    with pytest.raises(CoreError, match="too long") as caught:
        await core.complete([1], Sampling(max_tokens=9))
    assert not isinstance(caught.value, RefusedError), "nothing was completed before, so the model's name may be wrong"
    server.on(PATH, yes, no, yes)
    await core.complete([1], Sampling(max_tokens=9))
    with pytest.raises(RefusedError, match="too long"):
        await core.complete([2, 3], Sampling(max_tokens=9))
    assert server.bodies(PATH)[-1]["max_tokens"] == 1
    server.on(PATH, no)
    with pytest.raises(CoreError, match="too long") as caught:
        await core.complete([2, 3], Sampling(max_tokens=9))
    assert not isinstance(caught.value, RefusedError), "it takes nothing any more"


async def test_leaving_a_stream_frees_the_row(server: Server, core: Any) -> None:
    server.on(PATH, events(chunk(7), done=False, then="stall"))
    stream = core.stream([1], Sampling(max_tokens=9))
    assert (await anext(stream)).ids == (7,)
    await stream.aclose()
    await asyncio.wait_for(server.dropped.wait(), 5)


async def test_cancelling_a_completion_frees_the_row(server: Server, core: Any) -> None:
    server.on(PATH, events(chunk(7), done=False, then="stall"))
    task = asyncio.create_task(core.complete([1], Sampling(max_tokens=9)))
    await asyncio.wait_for(server.stalling.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.dropped.wait(), 5)


async def test_a_server_that_does_not_count_in_time_is_not_waited_for(server: Server, core: Any) -> None:
    server.on(PATH, events(chunk(7, finish="stop"), done=False, then="stall"))
    done = await asyncio.wait_for(core.complete([1], Sampling(max_tokens=9)), 4)
    assert (done.ids, done.usage.decoded) == ((7,), 1)


async def test_many_completions_go_side_by_side(server: Server, core: Any) -> None:
    server.on(PATH, events(chunk(7), chunk(8, finish="stop")))
    done = await asyncio.gather(*(core.complete([1, i % 200], Sampling(max_tokens=9)) for i in range(40)))
    assert {d.ids for d in done} == {(7, 8)}


async def test_it_has_no_reward_head(core: Any) -> None:
    with pytest.raises(CoreError, match="vllm:small has no reward head 'prm'"):
        await core.value([1], "prm")

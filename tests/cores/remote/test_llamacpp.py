"""llama.cpp's native fields, as its server b11434 wrote them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoner.completions import Sampling, Usage
from reasoner.errors import CoreError
from tests.cores.remote.conftest import Server, events, listing

PATH = "/completion"
PROMPT = [5, 6, 7]


def chunk(token: int, text: str, predicted: int, cached: int = 2) -> dict[str, Any]:
    return {
        "content": text,
        "tokens": [token],
        "stop": False,
        "tokens_predicted": predicted,
        "timings": {"cache_n": cached, "prompt_n": 1, "predicted_n": predicted},
        "completion_probabilities": [{"id": token, "logprob": -0.25, "bytes": []}],
    }


def final(stop_type: str, predicted: int) -> dict[str, Any]:
    return {"content": "", "tokens": [], "stop": True, "stop_type": stop_type, "tokens_predicted": predicted}


@pytest.fixture
async def core(server: Server, connect: Callable[..., Any], bytes_dir: Path) -> Any:
    server.on("/v1/models", listing("llamacpp", aliases=["alias"], max_model_len=None, meta={"n_ctx": 48}))
    server.on(PATH, events(chunk(1, "x", 1)))
    return await connect(tokenizer_dir=bytes_dir, model="alias")


def ids_of(core: Any, text: str) -> list[int]:
    return list(core.tokenizer.encode(text))


async def test_ids_go_in_and_ids_log_probabilities_and_counts_come_out(server: Server, core: Any) -> None:
    assert (core.info.name, core.info.context, core.info.can_score) == ("llamacpp:small", 48, False)
    a, b = ids_of(core, "ab")
    server.on(PATH, events(chunk(a, "a", 1), chunk(b, "b", 2), chunk(256, "", 3), final("eos", 3), done=False))
    done = await core.complete(PROMPT, Sampling(max_tokens=9, temperature=0.5, seed=2**40 + 3))
    assert (done.ids, done.text, done.finish) == ((a, b, 256), "ab", "stop")
    assert (done.logprobs, done.usage) == ((-0.25,) * 3, Usage(1, 2, 3))
    sent = server.bodies(PATH)[-1]
    assert (sent["prompt"], sent["n_predict"], sent["temperature"]) == (PROMPT, 9, 0.5)
    assert 0 <= sent["seed"] < 2**32 - 1
    assert "stop" not in sent


async def test_ids_that_the_stream_leaves_out_of_a_character_are_found_again(server: Server, core: Any) -> None:
    shrimp = ids_of(core, "🦐")
    assert len(shrimp) == 4
    a = ids_of(core, "a")[0]
    server.on(PATH, events(chunk(a, "a", 1), chunk(shrimp[-1], "🦐", 5), chunk(a, "a", 6), final("limit", 6)))
    done = await core.complete(PROMPT, Sampling(max_tokens=9))
    assert (done.ids, done.text, done.finish) == ((a, *shrimp, a), "a🦐a", "length")
    assert done.logprobs == ()


async def test_half_a_character_at_the_limit_is_left_out(server: Server, core: Any) -> None:
    a = ids_of(core, "a")[0]
    server.on(PATH, events(chunk(a, "a", 1), final("limit", 4)))
    done = await core.complete(PROMPT, Sampling(max_tokens=4))
    assert (done.text, done.finish, done.usage.decoded) == ("a", "length", 4)


async def test_a_stop_string_closes_the_connection(server: Server, core: Any) -> None:
    a = ids_of(core, "a")[0]
    server.on(PATH, events(chunk(a, "a", 1), chunk(a, "a", 2), done=False, then="stall"))
    done = await core.complete(PROMPT, Sampling(max_tokens=9, stop=("aa",)))
    assert (done.text, done.finish) == ("aa", "stop")
    await server.dropped.wait()


async def test_it_cannot_score(core: Any) -> None:
    with pytest.raises(CoreError, match="llamacpp:small cannot score"):
        await core.score(PROMPT, [1])


@pytest.mark.parametrize("event", [{}, [], {"tokens_predicted": 1}, {"tokens_predicted": 1, "tokens": ["a"]}])
async def test_an_answer_of_another_shape_is_an_error(server: Server, core: Any, event: Any) -> None:
    server.on(PATH, events(event))
    with pytest.raises(CoreError, match="the server"):
        await core.complete(PROMPT, Sampling(max_tokens=9))

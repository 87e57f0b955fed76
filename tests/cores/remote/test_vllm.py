"""vLLM's fields, as its server 0.32 wrote them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoner.completions import Completion, Sampling, Scored, Usage
from reasoner.errors import CoreError
from tests.cores.remote.conftest import Answer, Server, events, listing, says

PATH = "/v1/completions"
PROMPT = [5, 6, 7]


def chunk(ids: list[int], finish: str | None = None, logprob: float = -0.5) -> dict[str, Any]:
    told = {"tokens": [f"token_id:{i}" for i in ids], "token_logprobs": [logprob] * len(ids)}
    return {"choices": [{"text": "", "logprobs": told, "finish_reason": finish, "token_ids": ids}]}


def counted(cached: int | None, written: int = 2) -> dict[str, Any]:
    details = {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
    return {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": written, **details}}


def scored(*ids: int) -> Answer:
    rows = [None, *({str(i): {"logprob": -0.1 * i, "rank": 1}, "9": {"logprob": -3}} for i in ids[1:])]
    told = {"prompt_tokens": len(ids), "prompt_tokens_details": {"cached_tokens": 1}}
    return says({"choices": [{"prompt_logprobs": rows}], "usage": told})


@pytest.fixture
async def core(server: Server, connect: Callable[..., Any], bytes_dir: Path) -> Any:
    server.on("/v1/models", listing("vllm"))
    server.on(PATH, events(chunk([1])), scored(5, 6, 7))
    return await connect(tokenizer_dir=bytes_dir)


async def test_ids_go_in_and_ids_log_probabilities_and_counts_come_out(server: Server, core: Any) -> None:
    server.on(PATH, events(chunk([70]), chunk([71], "stop"), counted(2)))
    done = await core.complete(
        PROMPT, Sampling(max_tokens=9, temperature=0.7, seed=2**62, stop=("x",), stop_ids=(256,))
    )
    assert done == Completion((70, 71), core.tokenizer.decode([70, 71]), "stop", (-0.5, -0.5), Usage(1, 2, 2))
    sent = server.bodies(PATH)[-1]
    assert sent["prompt"] == PROMPT
    assert (sent["stop"], sent["include_stop_str_in_output"]) == (["x"], True)
    assert (sent["stop_token_ids"], sent["ignore_eos"]) == ([256], True)
    assert (sent["seed"], sent["temperature"], sent["max_tokens"]) == (2**62, 0.7, 9)
    assert sent["repetition_penalty"] == 1.0, "a model's own generation settings must not reach in"


async def test_ids_that_may_not_be_drawn_or_must_come_first_are_told_as_biases(server: Server, core: Any) -> None:
    server.on(PATH, events(chunk([256], "stop"), counted(1)))
    await core.complete(PROMPT, Sampling(never=(7,), only=(256,), stop_ids=(256, 70)))
    assert server.bodies(PATH)[-1]["logit_bias"] == {"7": -100.0, "256": 100.0}
    server.on(PATH, events(chunk([256], "stop"), counted(1)))
    await core.complete(PROMPT, Sampling(only=(256,)))
    assert server.bodies(PATH)[-1]["logit_bias"] == {}, "later tokens would be favoured too"


async def test_the_stop_is_found_even_if_the_server_goes_on(server: Server, core: Any) -> None:
    server.on(PATH, events(chunk([70, 256, 71]), chunk([72]), then="stall", done=False))
    done = await core.complete(PROMPT, Sampling(max_tokens=9, stop_ids=(256,)))
    assert (done.ids, done.finish) == ((70, 256), "stop")


async def test_a_server_that_does_not_count_leaves_the_prompt_uncached(server: Server, core: Any) -> None:
    server.on(PATH, events(chunk([70, 71], "length"), counted(None)))
    done = await core.complete(PROMPT, Sampling(max_tokens=2))
    assert (done.finish, done.usage) == ("length", Usage(3, 0, 2))


async def test_an_older_server_spells_ids_as_tokens(server: Server, core: Any) -> None:
    spelt = chunk([70], "stop")
    del spelt["choices"][0]["token_ids"]
    server.on(PATH, events(spelt))
    assert (await core.complete(PROMPT, Sampling(max_tokens=9))).ids == (70,)


async def test_the_prompt_is_scored_by_its_own_log_probabilities(server: Server, core: Any) -> None:
    server.on(PATH, scored(5, 6, 7, 8))
    found = await core.score([5, 6], [7, 8])
    assert found.logprobs == pytest.approx([-0.7, -0.8])
    assert found.usage == Usage(3, 1, 1), "the server writes a token besides"
    assert server.bodies(PATH)[-1]["prompt"] == [5, 6, 7, 8]
    assert await core.score([5, 6], []) == Scored(())
    with pytest.raises(CoreError, match="the prompt is empty"):
        await core.score([], [7, 8])


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "has no choices"),
        ([], "has no choices"),
        ({"choices": 5}, "a int where a list belongs"),
        ({"choices": ["x"]}, "a str where an object belongs"),
        (chunk([70], logprob=float("nan")), "log-probability nan"),
        ({"choices": [{"token_ids": ["x"]}]}, "where token ids belong"),
        ({"choices": [{"token_ids": [True]}]}, "where token ids belong"),
        (chunk([999]), "wrote token id 999"),
        (chunk([-1]), "wrote token id -1"),
    ],
)
async def test_an_answer_of_another_shape_is_an_error(server: Server, core: Any, event: Any, message: str) -> None:
    server.on(PATH, events(event))
    with pytest.raises(CoreError, match=message):
        await core.complete(PROMPT, Sampling(max_tokens=9))
    server.on(PATH, events(chunk([70], "stop")))
    assert (await core.complete(PROMPT, Sampling(max_tokens=9))).ids == (70,)


async def test_a_probability_of_nought_is_vllms_floor(server: Server, core: Any) -> None:
    server.on(PATH, events(chunk([70], "stop", logprob=-3.4e38)))
    assert (await core.complete(PROMPT, Sampling(max_tokens=9))).logprobs == (-9999.0,)

"""SGLang's native fields, as its documentation and source give them; no server was asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoner.completions import Sampling, Scored, Usage
from reasoner.errors import CoreError
from tests.cores.remote.conftest import Answer, Server, events, listing, says

PATH = "/generate"
PROMPT = [5, 6, 7]


def event(ids: list[int], total: int, finish: dict[str, Any] | None = None) -> dict[str, Any]:
    meta = {
        "prompt_tokens": 3,
        "completion_tokens": total,
        "cached_tokens": 2,
        "finish_reason": finish,
        "output_token_logprobs": [[-0.125 * i, i, None] for i in ids],
    }
    return {"text": "", "output_ids": ids, "meta_info": meta}


def scored(*ids: int) -> Answer:
    rows = [[None if at == 0 else -i / 10, i, None] for at, i in enumerate(ids)]
    return says({"meta_info": {"input_token_logprobs": rows}})


@pytest.fixture
async def core(server: Server, connect: Callable[..., Any], bytes_dir: Path) -> Any:
    server.on("/v1/models", listing("sglang"))
    server.on(PATH, events(event([1], 1)), scored(5, 6, 7))
    return await connect(tokenizer_dir=bytes_dir)


@pytest.mark.parametrize("steps", [([7], [7, 8], [7, 8, 9]), ([7], [8], [9])], ids=["cumulative", "incremental"])
async def test_both_ways_of_streaming_are_read(server: Server, core: Any, steps: list[list[int]]) -> None:
    reason = {"type": "stop", "matched": 9}
    told = [event(ids, at, reason if at == 3 else None) for at, ids in enumerate(steps, 1)]
    server.on(PATH, events(*told))
    done = await core.complete(PROMPT, Sampling(max_tokens=9, stop_ids=(9,), stop=("x",)))
    assert (done.ids, done.finish, done.logprobs) == ((7, 8, 9), "stop", (-0.875, -1.0, -1.125))
    assert done.usage == Usage(1, 2, 3)
    sent = server.bodies(PATH)[-1]
    assert sent["input_ids"] == PROMPT
    assert sent["sampling_params"]["stop_token_ids"] == [9]
    assert sent["sampling_params"]["top_k"] == -1


async def test_an_aborted_completion_is_an_error(server: Server, core: Any) -> None:
    server.on(PATH, events(event([7], 1, {"type": "abort", "message": "busy"})))
    with pytest.raises(CoreError, match="aborted"):
        await core.complete(PROMPT, Sampling(max_tokens=9))


async def test_the_prompt_is_scored_by_its_own_log_probabilities(server: Server, core: Any) -> None:
    server.on(PATH, scored(5, 6, 7))
    assert await core.score([5, 6], [7]) == Scored((-0.7,), Usage(3, 0, 1))
    with pytest.raises(CoreError, match="scored another prompt"):
        await core.score([5, 6], [8])

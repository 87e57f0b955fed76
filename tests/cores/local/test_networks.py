"""Every architecture, computed here or by transformers, gives transformers' own tokens and log-probabilities."""

import asyncio
from typing import Any

import pytest
import torch
import transformers

from reasoner.completions import Sampling
from reasoner.cores.local import LocalCore
from reasoner.cores.local.decoder import shape_of
from reasoner.errors import CoreError

from .conftest import TINY, tokenizer


@pytest.mark.parametrize(("name", "own"), [("qwen3", True), ("llama", True), ("gemma", False), ("gpt2", False)])
async def test_greedy_equals_transformers(name: str, own: bool, request: pytest.FixtureRequest) -> None:
    tiny = request.getfixturevalue(name)
    assert (shape_of(tiny.model.config.to_dict()) is not None) == own
    core = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=2**22)
    prompts = [[(11 * i + j * j) % 256 for j in range(1 + 13 * i)] for i in range(6)]
    await core.complete(prompts[3][:20], Sampling(max_tokens=3))
    done = await asyncio.gather(*(core.complete(p, Sampling(max_tokens=16)) for p in prompts))
    for prompt, completion in zip(prompts, done, strict=True):
        assert list(completion.ids) == tiny.greedy(prompt, 16)
        assert completion.logprobs == pytest.approx(tiny.logprobs(prompt, completion.ids), abs=1e-4)
    scored = (await core.score(prompts[4][:30], prompts[4][30:])).logprobs
    assert scored == pytest.approx(tiny.logprobs(prompts[4][:30], prompts[4][30:]), abs=1e-4)
    await core.close()


@pytest.mark.parametrize("name", ["gemma", "gpt2"])
async def test_the_slower_path_prefills_nothing_twice_but_the_last_token(
    name: str, request: pytest.FixtureRequest
) -> None:
    core = LocalCore(request.getfixturevalue(name).directory, dtype="float32", device="cpu", kv_bytes=2**22)
    prompt = list(range(60))
    done = await asyncio.gather(*(core.complete(prompt, Sampling(1.0, seed=i, max_tokens=4)) for i in range(4)))
    assert sorted(c.usage.prefilled for c in done) == [1, 1, 1, 60]
    await core.close()


async def test_a_model_that_keeps_another_kind_of_memory_is_refused(tmp_path: Any) -> None:
    torch.manual_seed(0)
    sizes = {"vocab_size": TINY["vocab_size"], "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}
    transformers.MambaForCausalLM(transformers.MambaConfig(**sizes)).save_pretrained(tmp_path)
    tokenizer(tmp_path)
    with pytest.raises(CoreError, match="MambaForCausalLM does not remember by keys and values alone"):
        LocalCore(tmp_path, dtype="float32", device="cpu")

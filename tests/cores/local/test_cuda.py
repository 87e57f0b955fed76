"""The same tokens on a GPU as on a CPU, where there is a GPU."""

import asyncio

import pytest
import torch

from reasoner.completions import Sampling
from reasoner.cores.local import LocalCore

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")]
PROMPTS = [[(11 * i + j * j) % 256 for j in range(1 + 13 * i)] for i in range(6)]


@pytest.mark.parametrize("name", ["tiny", "qwen3", "llama", "gemma"])
async def test_greedy_in_float32_equals_transformers(name: str, request: pytest.FixtureRequest) -> None:
    tiny = request.getfixturevalue(name)
    core = LocalCore(tiny.directory, dtype="float32", device="cuda", kv_bytes=2**22)
    done = await asyncio.gather(*(core.complete(p, Sampling(max_tokens=16)) for p in PROMPTS))
    for prompt, completion in zip(PROMPTS, done, strict=True):
        assert list(completion.ids) == tiny.greedy(prompt, 16)
        assert completion.logprobs == pytest.approx(tiny.logprobs(prompt, completion.ids), abs=1e-3)
    await core.close()


async def test_a_fork_in_bfloat16_prefills_nothing_twice(request: pytest.FixtureRequest) -> None:
    core = LocalCore(request.getfixturevalue("tiny").directory, dtype="bfloat16", device="cuda", kv_bytes=2**22)
    first = await core.complete(PROMPTS[5], Sampling(1.0, seed=1, max_tokens=8))
    branches = (core.complete([*PROMPTS[5], *first.ids[:4]], Sampling(1.0, seed=i, max_tokens=4)) for i in range(4))
    assert all(c.usage.prefilled <= 1 for c in await asyncio.gather(*branches))
    await core.close()

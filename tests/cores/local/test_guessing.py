"""Guesses come from what the text said before, and change nothing but the number of forward passes."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from reasoner.completions import Sampling
from reasoner.cores.local import LocalCore
from reasoner.cores.local.guessing import guess


@pytest.mark.parametrize(
    ("tokens", "most", "expected"),
    [
        ([1, 2, 3, 9, 1, 2], 9, [3, 9]),
        ([1, 2, 3, 9, 2], 9, [3]),
        ([0, 1, 2, 3, 9, 8, 0, 1, 2], 9, [3, 9, 8, 0, 1, 2]),
        ([0, 1, 2, 3, 9, 8, 0, 1, 2], 2, [3, 9]),
        ([1, 2, 3, 9, 1, 2], 0, []),
        ([7, 2, 5, 1, 2, 6, 4, 1, 2], 1, [6]),
        ([3, 1, 2, 5, 8, 1, 2, 6, 3, 1, 2], 1, [5]),
        ([4, 5, 6], 3, []),
        ([4], 3, []),
        ([4, 4, 4], 5, [4]),
    ],
)
def test_the_latest_of_the_longest_matches_says_what_follows(tokens: list[int], most: int, expected: list[int]) -> None:
    assert guess(np.array(tokens, dtype=np.int32), most).tolist() == expected


async def test_guesses_change_no_token_no_probability_and_no_count(tiny: Any) -> None:
    """Each text is made of one short run again and again: there is always something to guess."""
    jobs = [([i, 1, 2, 3] * 6, Sampling(t, seed=i, max_tokens=30)) for i in range(3) for t in (0.0, 0.9)]
    guessing, plain = (LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=2**22) for _ in "ab")
    plain._engine._network.nearly_free = 1
    for prefix, sampling in jobs:
        with_guesses, without = await guessing.complete(prefix, sampling), await plain.complete(prefix, sampling)
        assert with_guesses.ids == without.ids
        assert with_guesses.logprobs == pytest.approx(without.logprobs, abs=1e-4)
        assert with_guesses.usage == without.usage
    await asyncio.gather(guessing.close(), plain.close())
    cache = guessing._engine.cache
    assert sum(len(n.slots) for n in cache.nodes()) + cache.free_slots == cache.capacity


async def test_a_text_that_repeats_itself_takes_fewer_passes_than_tokens(llama: Any, tmp_path: Path) -> None:
    """Without what its layers add, a model's next token hangs on the last alone: soon it goes round in a circle."""
    shutil.copytree(llama.directory, tmp_path / "circling")
    path = tmp_path / "circling" / "model.safetensors"
    weights = load_file(path)
    for name, weight in weights.items():
        if "o_proj" in name or "down_proj" in name:
            weight.zero_()
    save_file(weights, path, {"format": "pt"})
    core = LocalCore(path.parent, dtype="float32", device="cpu", kv_bytes=2**22)
    passes = 0
    forward = core._engine._network.forward

    def counted(batch: Any) -> Any:
        nonlocal passes
        passes += 1
        return forward(batch)

    core._engine._network.forward = counted  # type: ignore[method-assign]
    done = await core.complete([1, 2, 3], Sampling(max_tokens=200))
    await core.close()
    assert len(done.ids) == 200
    assert passes < 100

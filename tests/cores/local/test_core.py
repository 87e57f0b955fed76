"""The local core keeps every promise of a core."""

import asyncio
import math
import platform
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from reasoner.completions import Completion, Piece, Sampling, Scored, Usage, Valued
from reasoner.cores.local import LocalCore
from reasoner.cores.local.precision import chosen
from reasoner.errors import CoreError
from reasoner.protocols import Core

PROMPT = list(b"def add(a, b):\n")


@pytest.fixture
async def core(tiny: Any) -> AsyncIterator[LocalCore]:
    made = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=2**22)
    yield made
    await made.close()


async def pieces(core: Core, prefix: list[int], sampling: Sampling) -> list[Piece]:
    return [piece async for piece in core.stream(prefix, sampling)]


async def test_greedy_equals_transformers_whatever_shares_the_batch(core: LocalCore, tiny: Any) -> None:
    prompts = [[(7 * i + j * j) % 256 for j in range(1 + 9 * i)] for i in range(12)]
    done = await asyncio.gather(*(core.complete(p, Sampling(max_tokens=20)) for p in prompts))
    for prompt, completion in zip(prompts, done, strict=True):
        assert list(completion.ids) == tiny.greedy(prompt, 20)
        assert completion.logprobs == pytest.approx(tiny.logprobs(prompt, completion.ids), abs=1e-4)


async def test_one_prompt_for_many_is_prefilled_once(core: LocalCore) -> None:
    done = await asyncio.gather(*(core.complete(PROMPT, Sampling(1.0, seed=i, max_tokens=5)) for i in range(16)))
    assert sum(c.usage.prefilled for c in done) == len(PROMPT)
    assert sorted(c.usage.cached for c in done)[1:] == [len(PROMPT)] * 15


async def test_going_on_and_going_back_prefill_only_new_tokens(core: LocalCore) -> None:
    first = await core.complete(PROMPT, Sampling(max_tokens=10))
    assert first.usage == Usage(prefilled=len(PROMPT), cached=0, decoded=10)
    tool = [1, 2, 3]
    on = await core.complete([*PROMPT, *first.ids, *tool], Sampling(max_tokens=4))
    assert on.usage.prefilled == 1 + len(tool), "the last sampled token was never read before"
    back = await core.complete(PROMPT, Sampling(max_tokens=4))
    assert back.usage.prefilled == 0
    fork = await core.complete([*PROMPT, *first.ids[:5], 9, 9], Sampling(max_tokens=4))
    assert fork.usage.prefilled == 2


async def test_the_same_seed_samples_the_same_whatever_the_batch(core: LocalCore) -> None:
    sampling = Sampling(temperature=0.9, top_p=0.9, top_k=40, min_p=0.01, seed=7, max_tokens=12)
    alone = await core.complete(PROMPT, sampling)
    others = [core.complete([i, *PROMPT], Sampling(1.2, seed=i, max_tokens=9 + i)) for i in range(8)]
    among = (await asyncio.gather(core.complete(PROMPT, sampling), *others))[0]
    assert among.ids == alone.ids
    other = await core.complete(PROMPT, Sampling(temperature=0.9, top_p=0.9, seed=8, max_tokens=12))
    assert other.ids != alone.ids


@pytest.mark.parametrize(
    ("machine", "instruction", "by_way_of_float32", "then"),
    [
        ("x86_64", True, True, "bfloat16"),
        ("x86_64", False, True, "float32"),
        ("x86_64", False, False, "float32"),
        ("aarch64", False, True, "bfloat16"),
        ("aarch64", False, False, "float32"),
    ],
)
def test_a_cpu_that_does_not_multiply_bfloat16_computes_in_float32_unless_told(
    monkeypatch: pytest.MonkeyPatch, machine: str, instruction: bool, by_way_of_float32: bool, then: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: instruction)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: by_way_of_float32)
    assert chosen("auto", torch.device("cpu")) == then
    assert chosen("auto", torch.device("cuda")) == "bfloat16"
    assert chosen("bfloat16", torch.device("cpu")) == "bfloat16"


async def test_a_record_says_in_which_numbers_the_core_computed(tiny: Any) -> None:
    core = LocalCore(tiny.directory, device="cpu", kv_bytes=2**22)
    assert core.info.dtype == chosen("auto", torch.device("cpu"))
    await core.close()


@pytest.mark.parametrize(("dtype", "apart"), [("bfloat16", 0.4), ("float32", 1e-4)])
async def test_rows_long_and_short_with_prefixes_shared_and_alone_share_a_batch(
    tiny: Any, dtype: Any, apart: float
) -> None:
    core = LocalCore(tiny.directory, dtype=dtype, device="cpu", kv_bytes=2**22)
    trunk = [(5 * i + i * i) % 256 for i in range(150)]
    below_a_short_trunk = [[*trunk[:140], i] for i in range(5)]
    prefixes = [*below_a_short_trunk, trunk[20:], trunk[90:], trunk[:3], [9], [7, 0], [7, 1], [7, 2]]
    jobs = [core.complete(p, Sampling(0.8, seed=i, max_tokens=5 + 7 * i)) for i, p in enumerate(prefixes)]
    for prefix, done in zip(prefixes, await asyncio.gather(*jobs), strict=True):
        expected = tiny.logprobs(prefix, done.ids)
        errors = [abs(a - b) for a, b in zip(done.logprobs, expected, strict=True)]
        assert sum(errors) / len(errors) < apart
    await core.close()


async def test_a_stream_says_what_the_completion_says(core: LocalCore) -> None:
    sampling = Sampling(temperature=1.0, seed=3, max_tokens=30)
    whole = await core.complete(PROMPT, sampling)
    parts = await pieces(core, PROMPT, sampling)
    assert "".join(p.text for p in parts) == whole.text
    assert tuple(i for p in parts for i in p.ids) == whole.ids
    assert parts[-1].done is not None
    assert parts[-1].done.ids == whole.ids
    assert all(p.done is None for p in parts[:-1])


async def test_stop_id_and_stop_string_are_part_of_the_completion(core: LocalCore) -> None:
    plain = await core.complete(PROMPT, Sampling(max_tokens=12))
    by_id = await core.complete(PROMPT, Sampling(max_tokens=12, stop_ids=(plain.ids[4],)))
    assert by_id.ids == plain.ids[: plain.ids.index(plain.ids[4]) + 1]
    assert by_id.finish == "stop"
    text = core.tokenizer.decode(plain.ids)
    mark = next(text[i : i + 2] for i in range(len(text) - 1) if text[i : i + 2].isascii())
    by_text = await core.complete(PROMPT, Sampling(max_tokens=12, stop=(mark,)))
    assert by_text.text.endswith(mark)
    assert by_text.finish == "stop"


async def test_score_equals_the_log_probabilities_of_a_recompute(core: LocalCore, tiny: Any) -> None:
    await core.complete([*PROMPT, 1, 2], Sampling(max_tokens=3))
    for continuation in ([1, 2, 3, 4], [200], list(range(100))):
        found = await core.score(PROMPT, continuation)
        assert found.logprobs == pytest.approx(tiny.logprobs(PROMPT, continuation), abs=1e-4)
    assert await core.score(PROMPT, []) == Scored(())


async def test_reading_a_text_says_what_it_cost_and_spares_who_reads_on(core: LocalCore) -> None:
    whole = [*PROMPT, 1, 2, 3, 4]
    assert (await core.score(PROMPT, whole[len(PROMPT) :])).usage == Usage(prefilled=len(whole))
    again = (await core.score(PROMPT, whole[len(PROMPT) :])).usage
    assert (again.prefilled + again.cached, again.cached) == (len(whole), len(PROMPT) - 1)
    done = await core.complete([*whole, 5, 6], Sampling(max_tokens=2))
    assert done.usage == Usage(prefilled=2, cached=len(whole), decoded=2)


async def test_rows_that_no_token_uses_are_never_sampled(core: LocalCore) -> None:
    done = await core.complete(PROMPT, Sampling(temperature=50.0, max_tokens=200))
    assert max(done.ids) < core.tokenizer.vocabulary


async def test_a_closed_stream_frees_its_row_and_keeps_what_it_computed(tiny: Any) -> None:
    core = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=2**22, max_rows=1)
    stream = core.stream(PROMPT, Sampling(max_tokens=200))
    read = [await anext(stream) for _ in range(3)]
    await stream.aclose()
    ids = [i for p in read for i in p.ids]
    after = await asyncio.wait_for(core.complete([*PROMPT, *ids], Sampling(max_tokens=2)), timeout=10)
    assert after.usage.prefilled <= 1
    await core.close()


async def test_a_cancelled_task_frees_its_row(tiny: Any) -> None:
    core = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=2**22, max_rows=1)
    task = asyncio.create_task(core.complete(PROMPT, Sampling(max_tokens=200)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await asyncio.wait_for(core.complete(PROMPT, Sampling(max_tokens=2)), timeout=10)).ids
    await core.close()


@pytest.mark.parametrize(
    ("prefix", "sampling", "says"),
    [
        ([], Sampling(), "prefix is empty"),
        ([1] * 256, Sampling(), "256 tokens do not fit the context of 256"),
        ([1, 258], Sampling(), "token id 258 is outside the vocabulary of 258"),
        ([-1], Sampling(), "token id -1"),
        ([1], Sampling(temperature=math.nan), "temperature nan"),
        ([1], Sampling(top_p=0.0), "top_p 0.0"),
        ([1], Sampling(max_tokens=0), "max_tokens 0"),
    ],
)
async def test_what_cannot_be_computed_is_refused_and_the_next_call_works(
    core: LocalCore, prefix: list[int], sampling: Sampling, says: str
) -> None:
    with pytest.raises(CoreError, match=says):
        await core.complete(prefix, sampling)
    assert (await core.complete(PROMPT, Sampling(max_tokens=1))).ids


async def test_a_damaged_row_fails_alone(llama: Any, tmp_path: Path) -> None:
    """An embedding that is not a number makes every logit after it one."""
    shutil.copytree(llama.directory, tmp_path / "damaged")
    path = tmp_path / "damaged" / "model.safetensors"
    weights = load_file(path)
    weights["model.embed_tokens.weight"][7] = math.nan
    save_file(weights, path, {"format": "pt"})
    core = LocalCore(path.parent, dtype="float32", device="cpu", kv_bytes=2**22)
    for _ in range(2):
        good, long, bad, scored = await asyncio.gather(
            core.complete(PROMPT, Sampling(max_tokens=12)),
            core.complete(PROMPT * 3, Sampling(max_tokens=12)),
            core.complete([7], Sampling(max_tokens=12)),
            core.score([7, 1], [2]),
            return_exceptions=True,
        )
        assert isinstance(bad, CoreError)
        assert isinstance(scored, CoreError)
        assert "are not finite" in f"{bad}"
        assert isinstance(good, Completion)
        assert isinstance(long, Completion)
        assert list(good.ids) == llama.greedy(PROMPT, 12)
        assert list(long.ids) == llama.greedy(PROMPT * 3, 12)
    await core.close()


async def test_a_completion_ends_at_the_context(core: LocalCore) -> None:
    done = await core.complete([5] * 250, Sampling(max_tokens=512))
    assert (len(done.ids), done.finish) == (6, "length")


async def test_a_budget_too_small_for_one_row_is_refused(tiny: Any) -> None:
    core = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=40 * 2 * 3 * 2 * 8 * 4)
    with pytest.raises(
        CoreError, match="115 tokens of prompt and completion do not fit the cache of 40: raise kv_bytes"
    ):
        await core.complete(PROMPT, Sampling(max_tokens=100))
    assert (await core.complete(PROMPT, Sampling(max_tokens=25))).finish == "length"
    await core.close()
    with pytest.raises(CoreError, match="a KV budget of 100 bytes holds 0 tokens"):
        LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=100)


async def test_a_tight_budget_changes_no_token(tiny: Any) -> None:
    roomy = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=2**22)
    tight = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=120 * 2 * 3 * 2 * 8 * 4)
    jobs = [([i, *PROMPT], Sampling(0.8, seed=i, max_tokens=50)) for i in range(10)]

    async def run(core: LocalCore) -> list[Completion]:
        return await asyncio.gather(*(core.complete(p, s) for p, s in jobs))

    assert [c.ids for c in await run(tight)] == [c.ids for c in await run(roomy)]
    await tight.close()
    await roomy.close()


async def test_a_closed_core_refuses_and_ends_what_is_in_flight(core: LocalCore) -> None:
    task = asyncio.create_task(core.complete(PROMPT, Sampling(max_tokens=200)))
    await asyncio.sleep(0.005)
    await core.close()
    with pytest.raises(CoreError, match="has stopped"):
        await task
    with pytest.raises(CoreError, match="is closed"):
        await core.complete(PROMPT, Sampling())


async def test_a_core_knows_the_names_of_its_heads(tiny: Any, tmp_path: Path) -> None:
    shutil.copytree(tiny.directory, tmp_path / "m")
    (tmp_path / "m" / "heads").mkdir()
    save_file({"weight": torch.zeros(tiny.model.config.hidden_size)}, tmp_path / "m" / "heads" / "outcome.safetensors")
    with_head = LocalCore(tmp_path / "m", dtype="float32", device="cpu")
    assert with_head.info.heads == ("outcome",)
    assert await with_head.value(PROMPT, "outcome") == Valued(0.5, Usage(prefilled=len(PROMPT)))
    assert await with_head.value(PROMPT, "outcome") == Valued(0.5, Usage(cached=len(PROMPT)))
    await with_head.close()


async def test_a_core_has_as_many_rows_as_its_keys_and_values_hold(tiny: Any, tmp_path: Path) -> None:
    async def rows(**how: Any) -> int:
        made = LocalCore(tiny.directory, dtype="float32", device="cpu", **how)
        await made.close()
        return made.info.rows

    assert await rows(max_rows=8) == 8
    assert await rows(kv_bytes=2**20) < await rows()


async def test_a_missing_reward_head_is_named(core: LocalCore) -> None:
    with pytest.raises(CoreError, match="no reward head 'judge'"):
        await core.value(PROMPT, "judge")

"""The rows of `core.py` that hold the core against transformers, vLLM and llama.cpp."""

import asyncio
import json
import os
import random
import statistics
import time
from subprocess import DEVNULL, PIPE
from typing import Any

from core_rows import KV, PROMPT, ROOT, Setting, branches, figure, ours, prompt
from models import FILES


def transformers_branches(model: Any, ids: list[int], rows: int, new: int) -> float:
    """The same by `generate`, on a batch whose prompt is in its cache already."""
    import torch
    from transformers import DynamicCache

    batch = torch.tensor([ids] * rows)
    cache = DynamicCache()
    with torch.inference_mode():
        model(batch[:1, :-1], past_key_values=cache)
    cache.batch_repeat_interleave(rows)
    times: list[float] = []

    class Clock:
        def __call__(self, ids: Any, scores: Any, **_: Any) -> Any:
            times.append(time.perf_counter())
            return torch.zeros(len(ids), dtype=torch.bool)

    model.generate(
        batch,
        past_key_values=cache,
        attention_mask=torch.ones_like(batch),
        do_sample=True,
        temperature=0.8,
        top_p=0.95,
        top_k=0,
        max_new_tokens=new + 1,
        min_new_tokens=new + 1,
        pad_token_id=0,
        stopping_criteria=[Clock()],
    )
    return times[-1] - times[0]


async def equality(setting: Setting) -> dict[str, Any]:
    """50 prompts of 1 to 400 tokens in one batch: tokens and log-probabilities against transformers, one by one."""
    import torch
    from transformers import AutoModelForCausalLM

    from reasoner.completions import Sampling
    from reasoner.cores.local import LocalCore

    exact, rounded = (LocalCore(setting.directory, dtype=d, device="cpu", kv_bytes=KV) for d in ("float32", "bfloat16"))
    model = AutoModelForCausalLM.from_pretrained(setting.directory, dtype=torch.float32).eval()
    count, new = (10, 8) if setting.quick else (50, 16)
    dice = random.Random(3)
    prompts = [prompt(exact, dice.randrange(2000))[: dice.randint(1, PROMPT)] for _ in range(count)]
    done = await asyncio.gather(*(exact.complete(p, Sampling(max_tokens=new)) for p in prompts))
    same, apart, apart_rounded = 0, 0.0, []
    for ids, completion in zip(prompts, done, strict=True):
        with torch.inference_mode():
            table = model(torch.tensor([[*ids, *completion.ids]])).logits[
                0, len(ids) - 1 : -1, : exact.tokenizer.vocabulary
            ]
        table = table.float().log_softmax(-1)
        same += table.argmax(-1).tolist() == list(completion.ids)
        theirs = [float(line[token]) for line, token in zip(table, completion.ids, strict=True)]
        apart = max(apart, *(abs(a - b) for a, b in zip(theirs, completion.logprobs, strict=True)))
        scored = (await rounded.score(ids, completion.ids)).logprobs
        apart_rounded += [abs(a - b) for a, b in zip(theirs, scored, strict=True)]
    await asyncio.gather(exact.close(), rounded.close())
    print(f"{same} of {count} greedy texts equal; log-probabilities at most {apart:.1e} apart in float32;")
    print(f"in bfloat16 {statistics.mean(apart_rounded):.3f} on average, {max(apart_rounded):.2f} at most")
    return {
        "greedy_equal": figure(same, count, "texts", "higher", "transformers, float32"),
        "logprob_float32": figure(apart, 1e-4, "nats", "lower", "transformers, float32"),
        "logprob_bfloat16": figure(statistics.mean(apart_rounded), 0.05, "nats", "lower", "transformers, float32"),
    }


async def throughput(setting: Setting) -> dict[str, Any]:
    """Tokens per second of 8 and 32 branches of one 400-token prompt, against transformers in bfloat16."""
    import torch

    core = ours(setting)
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(setting.directory, dtype=torch.bfloat16).eval()
    new = 8 if setting.quick else 16
    await branches(core, 2, 4)
    found = {}
    for rows in (8, 32):
        mine, theirs = [], []
        for _ in range(setting.rounds):
            mine.append(rows * new / await branches(core, rows, new))
            theirs.append(rows * new / transformers_branches(model, prompt(core), rows, new))
        ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
        print(f"{rows:3} rows: {statistics.median(mine):7.1f} tokens/s, transformers {statistics.median(theirs):7.1f}")
        goal = 2.0 if rows == 32 else None
        found[f"decode_{rows}_rows"] = figure(ratio, goal, "x", "higher", "transformers generate, bfloat16")
    await core.close()
    return found


async def against_vllm(setting: Setting) -> dict[str, Any]:
    """The same 32 branches, against vLLM's own engine in a process beside this one, each idle while the other works."""
    core, rows, new = ours(setting), 32, 16 if setting.quick else 48
    child = await asyncio.create_subprocess_exec(
        str(setting.vllm), str(ROOT / "benchmarks" / "core_vllm.py"), str(setting.directory), stdin=PIPE, stdout=PIPE
    )
    assert child.stdin and child.stdout

    async def theirs(count: int) -> float:
        child.stdin.write(json.dumps({"prompt": prompt(core), "rows": rows, "new": count}).encode() + b"\n")
        while not (line := await child.stdout.readline()).startswith(b"seconds "):
            assert line, "vLLM ended: see what it said above"
        return float(line.split()[1])

    await theirs(1)
    await branches(core, 2, 4)
    pairs = []
    for _ in range(setting.rounds):
        mine = rows * new / await branches(core, rows, new)
        pairs.append((mine, rows * new / (await theirs(new + 1) - await theirs(1))))
    child.stdin.close()
    await child.wait()
    await core.close()
    print(f"{rows:3} rows: {statistics.median(a for a, _ in pairs):7.1f} tokens/s, vLLM {pairs[-1][1]:7.1f}")
    ratio = statistics.median(a / b for a, b in pairs)
    return {"decode_32_rows_vllm": figure(ratio, 1.0, "x", "higher", "vLLM on the CPU, bfloat16")}


async def one_stream(setting: Setting) -> dict[str, Any]:
    """One greedy stream over three kinds of text, against llama.cpp's server with the 4-bit file of the same model."""
    import httpx

    from reasoner.completions import Sampling
    from reasoner.dialect.driven import Driven
    from reasoner.tasks import load

    core, new = ours(setting), 16 if setting.quick else 64
    encode, dialect, task = core.tokenizer.encode, Driven(core.tokenizer), load(ROOT / "examples" / "last_word")
    prompts = {
        "code": prompt(core),
        "prose": encode((ROOT / "README.md").read_text(encoding="utf-8"))[:PROMPT],
        "task": [*dialect.root(task).ids, *dialect.attempt(task, "", None).ids],
    }
    threads = str(os.cpu_count())
    flags = [
        "-m",
        str(FILES / setting.directory.name),
        "-t",
        threads,
        "-c",
        "2048",
        "--parallel",
        "1",
        "--port",
        "8923",
    ]
    server = await asyncio.create_subprocess_exec(str(setting.llama), *flags, stdout=DEVNULL, stderr=DEVNULL)
    ratios = []
    try:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:8923", timeout=120) as client:
            while not await _answers(client):
                assert server.returncode is None, f"{setting.llama} ended"
                await asyncio.sleep(0.5)
            for kind, ids in prompts.items():
                asked = {"prompt": ids, "n_predict": new, "temperature": 0, "ignore_eos": True, "cache_prompt": True}
                pairs = []
                for _ in range(setting.rounds + 1):
                    await core.complete(ids, Sampling(max_tokens=1))
                    start = time.perf_counter()
                    done = await core.complete(ids, Sampling(max_tokens=new))
                    mine = len(done.ids) / (time.perf_counter() - start)
                    said = (await client.post("/completion", json=asked)).raise_for_status().json()["timings"]
                    pairs.append((mine, said["predicted_per_second"]))
                ratios.append(statistics.median(a / b for a, b in pairs[1:]))
                mine, other = (statistics.median(side) for side in zip(*pairs[1:], strict=True))
                print(f"one stream of {kind:5}: {mine:5.1f} tokens/s, llama.cpp {other:5.1f}")
    finally:
        server.terminate()
        await server.wait()
        await core.close()
    return {"one_stream": figure(statistics.mean(ratios), 1.0, "x", "higher", "llama.cpp's server, its own 4-bit file")}


async def _answers(client: Any) -> bool:
    import httpx

    try:
        return bool((await client.get("/health")).is_success)
    except httpx.TransportError:
        return False

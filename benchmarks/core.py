"""How fast, how frugal and how forgetful the local core is, beside transformers and llama.cpp in the same run.

    python benchmarks/core.py --prepare     once: fetch the models
    python benchmarks/core.py [--quick]     --quick: SmolLM2-135M, fewer tokens, under 60 s on two idle CPUs

Each row runs in a process of its own, both sides of a row by turns (A B A B, medians), so that what else the machine
does hits both. `--only ROW` runs one row, `--dtype int4` the quantised weights. `--vllm PYTHON` names an interpreter
that has vLLM, `--llama FILE` a llama-server (docs/servers.md says how they are made); rows without a peer are left out.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / "runs" / "models"
SMALL, DEFAULT = "smollm2-135m-instruct", "qwen2.5-coder-0.5b-instruct"
PROMPT = 400
KV = 512 * 2**20


@dataclass(frozen=True)
class Setting:
    """What every row is given."""

    directory: Path
    dtype: str
    quick: bool
    vllm: Path | None
    llama: Path | None

    @property
    def rounds(self) -> int:
        return 1 if self.quick else 3


def figure(value: float, goal: float | None, unit: str, better: str, against: str) -> dict[str, Any]:
    return {"value": float(f"{value:.4g}"), "goal": goal, "unit": unit, "better": better, "against": against}


# --- both sides ------------------------------------------------------------------------------------------------------


def ours(setting: Setting, **options: Any) -> Any:
    from reasoner.cores.local import LocalCore

    return LocalCore(setting.directory, dtype=setting.dtype, device="cpu", kv_bytes=KV, **options)


def prompt(core: Any, start: int = 0) -> list[int]:
    text = (ROOT / "reasoner" / "types.py").read_text(encoding="utf-8")
    ids: list[int] = core.tokenizer.encode(text)[start : start + PROMPT]
    return ids


async def branches(core: Any, rows: int, new: int) -> float:
    """Seconds to decode `new` tokens on each of `rows` branches of one prompt that is prefilled already."""
    from reasoner.types import Sampling

    asked = [Sampling(temperature=0.8, top_p=0.95, seed=i, max_tokens=new) for i in range(rows)]
    await core.complete(prompt(core), Sampling(max_tokens=1))
    start = time.perf_counter()
    await asyncio.gather(*(core.complete(prompt(core), s) for s in asked))
    return time.perf_counter() - start


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


# --- rows ------------------------------------------------------------------------------------------------------------


async def equality(setting: Setting) -> dict[str, Any]:
    """50 prompts of 1 to 400 tokens in one batch: tokens and log-probabilities against transformers, one by one."""
    import torch
    from transformers import AutoModelForCausalLM

    from reasoner.cores.local import LocalCore
    from reasoner.types import Sampling

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
        scored = await rounded.score(ids, completion.ids)
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

    from reasoner.dialect.driven import Driven
    from reasoner.tasks import load
    from reasoner.types import Sampling

    core, new = ours(setting), 16 if setting.quick else 64
    encode, dialect, task = core.tokenizer.encode, Driven(core.tokenizer), load(ROOT / "examples" / "zipper")
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


async def backtracks(setting: Setting) -> dict[str, Any]:
    """A solve of 6 steps with 3 backtracks, each step 40 sampled tokens and 30 of a tool's output."""
    from reasoner.types import Sampling

    core = ours(setting)
    history, known, nodes = prompt(core), 0, []
    prefilled = resent = fresh = 0
    new = 8 if setting.quick else 40
    for step in range(6):
        done = await core.complete(history, Sampling(temperature=0.8, seed=step, max_tokens=new))
        prefilled, resent = prefilled + done.usage.prefilled, resent + len(history)
        fresh += len(history) - known
        nodes.append(history)
        if step in (1, 3, 4):
            history = nodes[step - 1]
            known = len(history)
            continue
        known = len(history) + len(done.ids) - 1
        history = [*history, *done.ids, *prompt(core, 500 + 30 * step)[:30]]
    await core.close()
    print(f"6 steps, 3 backtracks: {prefilled} tokens prefilled, {fresh} of them new, {resent} if all were sent again")
    return {
        "prefilled_twice": figure(prefilled - fresh, 0, "tokens", "lower", "tokens never seen before"),
        "prefill_saved": figure(resent / prefilled, 5.0, "x", "higher", "sending the history again"),
    }


async def schedule(setting: Setting) -> dict[str, Any]:
    """64 branches over 16 rows, 16 to 512 tokens each with 3 tool calls of 0 to 2 s in between."""
    from reasoner.types import Sampling

    rows, most, wait = (4, 64, 0.5) if setting.quick else (16, 512, 2.0)
    core = ours(setting, max_rows=rows)
    dice = random.Random(1)
    plans = [[(dice.randint(4, most // 4), dice.uniform(0, wait)) for _ in range(4)] for _ in range(4 * rows)]
    warm = prompt(core)

    async def branch(index: int, tools: bool) -> float:
        start, history = time.perf_counter(), list(warm)
        for call, (count, seconds) in enumerate(plans[index]):
            sampling = Sampling(temperature=0.8, seed=index, max_tokens=count)
            history += (await core.complete(history, sampling)).ids
            if tools and call < 3:
                await asyncio.sleep(seconds)
        return time.perf_counter() - start

    async def all_of(tools: bool) -> float:
        start = time.perf_counter()
        await asyncio.gather(*(branch(i, tools) for i in range(len(plans))))
        return time.perf_counter() - start

    await core.complete(warm, Sampling(max_tokens=1))
    longest = max(range(len(plans)), key=lambda i: sum(count for count, _ in plans[i]))
    work, alone, whole = await all_of(False), await branch(longest, True), await all_of(True)
    await core.close()
    print(
        f"{len(plans)} branches over {rows} rows: {whole:.1f} s, work alone {work:.1f} s, longest alone {alone:.1f} s"
    )
    return {"schedule": figure(whole / max(work, alone), 1.15, "x", "lower", "decode work or longest branch alone")}


async def memory(setting: Setting) -> dict[str, Any]:
    """Peak beyond weights and KV, and what 2,000 forks and rewinds leave behind."""
    from reasoner.types import Sampling

    core = ours(setting)
    await branches(core, 32, 8)
    weights = sum(p.stat().st_size for p in setting.directory.glob("*.safetensors"))
    weights += weights // 3 if setting.dtype == "int4" else 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    beyond = (peak - weights - _touched(core)) / 2**20
    ids, dice, sizes = prompt(core), random.Random(2), []
    for turn in range(200 if setting.quick else 2000):
        cut = dice.randint(1, len(ids))
        await core.complete([*ids[:cut], dice.randrange(1000)], Sampling(max_tokens=1))
        if turn % 100 == 99:
            sizes.append(_resident() - _touched(core))
    await core.close()
    grown = (statistics.median(sizes[-3:]) - sizes[len(sizes) // 4]) / 2**20
    print(f"memory: {beyond:.0f} MiB beyond weights and KV at the peak; {grown:+.1f} MiB after {turn + 1} forks")
    return {
        "memory_beyond": figure(beyond, 600, "MiB", "lower", "weights + KV in use"),
        "memory_leaked": figure(grown, 16, "MiB", "lower", "after 2,000 forks and rewinds"),
    }


def _touched(core: Any) -> int:
    """Bytes of the pool that hold keys and values."""
    engine = core._engine
    used = engine.cache.capacity - engine.cache.free_slots
    return int(used * engine._network.bytes_per_token)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


async def cold_start(setting: Setting) -> dict[str, Any]:
    """First token in a fresh process, against importing torch and reading the weights once."""
    first = (
        "import asyncio, sys; from pathlib import Path; from reasoner.cores.local import LocalCore\n"
        "from reasoner.types import Sampling\n"
        f"core = LocalCore(Path({str(setting.directory)!r}), dtype={setting.dtype!r})\n"
        "asyncio.run(core.complete(core.tokenizer.encode('def add(a, b):'), Sampling(max_tokens=1)))\n"
        "assert 'transformers' not in sys.modules"
    )
    floor = (
        "import torch; from pathlib import Path\n"
        f"for p in Path({str(setting.directory)!r}).glob('*.safetensors'): p.read_bytes()"
    )
    pairs = [(_seconds(first), _seconds(floor)) for _ in range(setting.rounds + 1)][1:]
    a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"cold start: {a:.1f} s to the first token, {b:.1f} s to import torch and read the weights")
    return {"cold_start": figure(statistics.median(x / y for x, y in pairs), 1.5, "x", "lower", "its floor")}


def _seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    return time.perf_counter() - start


ROWS: dict[str, Callable[[Setting], Coroutine[Any, Any, dict[str, Any]]]] = {
    row.__name__: row for row in (throughput, against_vllm, one_stream, backtracks, schedule, memory, cold_start)
}


def prepare() -> None:
    """The models, and the files as they were published, for peers that read those."""
    from reasoner.models.fetch import fetch
    from reasoner.models.progress import Silent
    from reasoner.models.registry import entries

    FILES.mkdir(parents=True, exist_ok=True)
    for entry in entries():
        if entry.name in (SMALL, DEFAULT) and not (FILES / entry.name).exists():
            shutil.copy(fetch(entry, FILES, Silent()).path, FILES / entry.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prepare", action="store_true", help="fetch the models")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--model", default="", help="a name of `reasoner models list`")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32", "int4"])
    parser.add_argument("--vllm", type=Path, metavar="PYTHON", help="an interpreter that has vLLM")
    parser.add_argument("--llama", type=Path, metavar="LLAMA_SERVER", help="llama.cpp's server")
    parser.add_argument("--only", choices=ROWS, action="append")
    parser.add_argument("--child", choices=ROWS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    from reasoner import models

    if arguments.prepare:
        prepare()
        return
    directory = models.resolve(arguments.model or (SMALL if arguments.quick else DEFAULT))
    if arguments.child:
        setting = Setting(directory, arguments.dtype, arguments.quick, arguments.vllm, arguments.llama)
        print(json.dumps(asyncio.run(ROWS[arguments.child](setting))))
        return
    figures: dict[str, Any] = {}
    there = {"one_stream": arguments.llama is not None, "against_vllm": arguments.vllm is not None}
    for name in arguments.only or [n for n in ROWS if there.get(n, True)]:
        figures |= _in_a_process_of_its_own(name)
    print(json.dumps(figures))


def _in_a_process_of_its_own(name: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *sys.argv[1:], "--child", name]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    print("\n".join(lines[:-1]), flush=True)
    found: dict[str, Any] = json.loads(lines[-1])
    return found


if __name__ == "__main__":
    main()

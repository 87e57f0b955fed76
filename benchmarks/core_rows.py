"""The rows of `core.py` that need no peer, and what every row is given."""

import asyncio
import random
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
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


def ours(setting: Setting, **options: Any) -> Any:
    from reasoner.cores.local import LocalCore

    return LocalCore(setting.directory, dtype=setting.dtype, device="cpu", kv_bytes=KV, **options)


def prompt(core: Any, start: int = 0) -> list[int]:
    text = (ROOT / "reasoner" / "types.py").read_text(encoding="utf-8")
    ids: list[int] = core.tokenizer.encode(text)[start : start + PROMPT]
    return ids


async def branches(core: Any, rows: int, new: int) -> float:
    """Seconds to decode `new` tokens on each of `rows` branches of one prompt that is prefilled already."""
    from reasoner.completions import Sampling

    asked = [Sampling(temperature=0.8, top_p=0.95, seed=i, max_tokens=new) for i in range(rows)]
    await core.complete(prompt(core), Sampling(max_tokens=1))
    start = time.perf_counter()
    await asyncio.gather(*(core.complete(prompt(core), s) for s in asked))
    return time.perf_counter() - start


async def backtracks(setting: Setting) -> dict[str, Any]:
    """A solve of 6 steps with 3 backtracks, each step 40 sampled tokens and 30 of a tool's output."""
    from reasoner.completions import Sampling

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
    from reasoner.completions import Sampling

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
    from reasoner.completions import Sampling

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
        "from reasoner.completions import Sampling\n"
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

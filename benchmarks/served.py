"""The taught core as a server runs it: merged into one plain model, held token by token against the local core.

    python benchmarks/served.py --vllm PYTHON [--core ADAPTER] [--dtype bfloat16|float32] [--tasks N] [--port P]

PYTHON is an interpreter that has vLLM (docs/servers.md says how). The adapter is merged, vLLM serves the directory, and
both go on greedily from the same prompts, those that the runtime gives for MBPP test and held-out GSM8K problems, half
of each. Where two texts part, the local core tells how much less likely it found the server's token than its own: next
to nothing is a tie that rounding decides, much is another model.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from baseline import held_out, mbpp_ids
from core_vllm import QUIET
from flywheel_live import SIDE_BY_SIDE, tasks
from records import ROOT

from reasoner import models
from reasoner.assembly import assemble
from reasoner.completions import Sampling
from reasoner.config import Config, CoreConfig, SandboxConfig, SearchConfig
from reasoner.cores.local import LocalCore
from reasoner.cores.remote import RemoteCore, Retry
from reasoner.errors import CoreError
from reasoner.flywheel.merging import merge
from reasoner.models import adapters
from reasoner.protocols import Core
from reasoner.trace import Event, Trace
from reasoner.types import Task

MOST, TIE, PATIENCE = 160, 0.25, 300
"""Tokens of a text; nats between two tokens that rounding may swap, two steps of bfloat16 where logits lie between 16
and 32; seconds for a server to start."""
LOG = ROOT / "runs" / "served.log"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vllm", type=Path, required=True, metavar="PYTHON", help="an interpreter that has vLLM")
    parser.add_argument("--core", metavar="ADAPTER", default="", help="path or name (default: the shipped one)")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"), help="what all compute in")
    parser.add_argument("--tasks", type=int, default=100, metavar="N", help="prompts (default 100)")
    parser.add_argument("--port", type=int, default=8017)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    flags = parser.parse_args()
    base = models.resolve(models.default())
    held = adapters.find(flags.core, base.name)
    if held is None:
        raise SystemExit("the base has nothing to merge: give --core ADAPTER")
    LOG.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LOG.parent) as place:
        merged = Path(place) / "merged"
        merge(base, held, merged)
        with serving(flags, merged) as server:
            print(json.dumps(asyncio.run(compare(flags, base, held, merged, server))))


@contextmanager
def serving(flags: argparse.Namespace, merged: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """vLLM over a directory; what it says goes to a file."""
    command = [str(flags.vllm), "-m", "vllm.entrypoints.openai.api_server", "--model", str(merged), "--enforce-eager"]
    command += ["--dtype", flags.dtype, "--max-model-len", "2048", "--port", str(flags.port), "--host", "127.0.0.1"]
    with LOG.open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | QUIET) as process:
        try:
            yield process
        finally:
            process.terminate()


async def compare(
    flags: argparse.Namespace, base: Path, held: Path, merged: Path, server: "subprocess.Popen[bytes]"
) -> dict[str, str]:
    """How far each local core writes what the server does."""
    prompts, remote = await prompted(held, flags), await reached(server, flags.port, merged)
    ends = tuple(remote.tokenizer.ends)
    theirs = await texts(remote, prompts, ends)
    await remote.close()
    found = {}
    for name, directory, adapter in (("with its adapter", base, held), ("merged", merged, None)):
        core = LocalCore(directory, adapter=adapter, dtype=flags.dtype, device="cpu")
        gaps = [
            await gap(core, prompt, ours, other)
            for prompt, ours, other in zip(prompts, await texts(core, prompts, ends), theirs, strict=True)
        ]
        await core.close()
        parted = sorted(one for one in gaps if one is not None)
        told = (
            f"{len(gaps) - len(parted)} of {len(gaps)} texts equal, {sum(one <= TIE for one in parted)} part at a tie"
        )
        worst = f"; at most {parted[-1]:.2f} nats" if parted else ""
        found[f"{flags.dtype}, local core {name}"] = told + worst
    return found


async def prompted(held: Path, flags: argparse.Namespace) -> list[list[int]]:
    """Where searches of these tasks begin, as the runtime lays it out."""
    code = [str(number) for number in mbpp_ids("mbpp-test")]
    maths = [f"gsm8k/{index}" for index, *_ in held_out(flags.data / "gsm8k_train.jsonl")]
    drawn = [tasks(random.Random(0).sample(sorted(ids), flags.tasks // 2), flags) for ids in (code, maths)]
    config = Config(
        core=CoreConfig(adapter=str(held), dtype=flags.dtype),
        sandbox=SandboxConfig("bubblewrap"),
        search=SearchConfig("single", temperature=0.0, max_tokens=4),
    )
    turns = asyncio.Semaphore(SIDE_BY_SIDE)
    async with assemble(config) as reasoner:

        async def begun(task: Task) -> list[int]:
            heard: list[Event] = []
            async with turns:
                await reasoner.solve(task, heard.append)
            tree = Trace(heard).tree()
            return list(tree.ids(tree.root))

        return await asyncio.gather(*map(begun, chain(*drawn)))


async def reached(server: "subprocess.Popen[bytes]", port: int, merged: Path) -> RemoteCore:
    """The server, as soon as it answers."""
    for _ in range(PATIENCE):
        if server.poll() is not None:
            raise SystemExit(f"the server ended with code {server.returncode}: {LOG} says why")
        try:
            url = f"http://127.0.0.1:{port}/v1"
            return await RemoteCore.connect(url, tokenizer_dir=merged, retry=Retry(attempts=1))
        except CoreError:
            await asyncio.sleep(1)
    raise SystemExit(f"no server at port {port} after {PATIENCE} s: {LOG} says why")


async def texts(core: Core, prompts: Sequence[Sequence[int]], ends: tuple[int, ...]) -> list[tuple[int, ...]]:
    asked = Sampling(max_tokens=MOST, stop_ids=ends)
    return [done.ids for done in await asyncio.gather(*(core.complete(prompt, asked) for prompt in prompts))]


async def gap(core: Core, prompt: Sequence[int], ours: Sequence[int], theirs: Sequence[int]) -> float | None:
    """Nats between the two tokens where the texts part, as this core sees them; None where they do not."""
    same = next((i for i, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), None)
    if same is None:
        return None
    before = [*prompt, *ours[:same]]
    one, other = [(await core.score(before, [ids[same]])).logprobs[0] for ids in (ours, theirs)]
    return abs(one - other)


if __name__ == "__main__":
    main()

"""What conversion costs and whether it is right: our store against transformers' own GGUF route and llama.cpp.

    python benchmarks/models.py --prepare     once: fetch the files, build the peers (needs a C++ compiler)
    python benchmarks/models.py [--quick]     --quick: SmolLM2-135M alone, fewer texts, under 60 s

Logits are compared in float32 on the first texts of the data, transformers' embedding tied to its output matrix as the
published model has it. Token ids are compared on every MBPP and GSM8K text. Peers live in .venv-models,
the files in runs/models.
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEERS, FILES = ROOT / ".venv-models", ROOT / "runs" / "models"
SMALL, DEFAULT = "smollm2-135m-instruct", "qwen2.5-coder-0.5b-instruct"
# Instruction sets are named: a build for "native" dies on machines whose features differ from what they announce.
GENERIC = "-DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prepare", action="store_true", help="fetch the files and build the peers")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="holds mbpp and gsm8k")
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare()
        return
    if not PEERS.is_dir():
        sys.exit("the peers are missing: run with --prepare first")
    names = [SMALL] if arguments.quick else [SMALL, DEFAULT]
    found = texts(arguments.data)[:: 20 if arguments.quick else 1]
    figures: dict[str, Any] = {}
    for name in names:
        figures |= measure(name, found, rounds=1 if arguments.quick else 2)
    print(json.dumps(figures))


def fetch_files() -> None:
    """The models' files as they were published, for peers that read those."""
    from reasoner.models.fetch import fetch
    from reasoner.models.progress import Silent
    from reasoner.models.registry import entries

    FILES.mkdir(parents=True, exist_ok=True)
    for entry in entries():
        if entry.name in (SMALL, DEFAULT) and not (FILES / entry.name).exists():
            shutil.copy(fetch(entry, FILES, Silent()).path, FILES / entry.name)


def prepare() -> None:
    fetch_files()
    if PEERS.is_dir():
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(PEERS)]
    packages = ["gguf", "accelerate", "psutil", "diskcache", "llama-cpp-python"]
    subprocess.run([*pip, *packages], env={**os.environ, "CMAKE_ARGS": GENERIC}, check=True)


def texts(data: Path) -> list[str]:
    found = []
    for name, keys in {"mbpp": ("text", "code"), "gsm8k_train": ("question", "answer")}.items():
        for line in (data / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # a file may be cut in its last line
            found += [record[key] for key in keys] + record.get("test_list", [])
    return found


def measure(name: str, found: list[str], rounds: int) -> dict[str, Any]:
    gguf = FILES / name
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(dir=FILES) as scratch:
        folder = Path(scratch)
        apart(convert, gguf, folder / "float32", "float32")
        for n in range(rounds):
            ours.append(apart(convert, gguf, folder / str(n), "bfloat16"))
            theirs.append(apart(load_and_compare, gguf, folder / "float32", found[:4]))
        differing = apart(tokenise, gguf, folder / "float32", found).value
    seconds, peak = statistics.median(run.value for run in ours), max(run.peak_mb for run in ours)
    peer, gap = statistics.median(run.value[0] for run in theirs), max(run.value[1] for run in theirs)
    print(name)
    print(f"  convert        {seconds:.1f} s, {peak:.0f} MB at most    (transformers' load {peer:.1f} s)")
    print(f"  logits         {gap:.1e} largest gap    (transformers' load, tied)")
    print(f"  tokens         {differing} of {len(found)} texts differ    (llama.cpp)", flush=True)
    short = name.split("-instruct")[0]
    return {
        f"{short}.convert": figure(seconds, 20, "s", f"transformers' GGUF load in the same run: {peer:.1f} s"),
        f"{short}.convert_speedup": figure(peer / seconds, 3.6, "x", "transformers' GGUF load", better="higher"),
        f"{short}.convert_peak": figure(peak, 300, "MB", "an absolute bound"),
        f"{short}.logit_gap": figure(gap, 1e-3, "logit", "transformers' GGUF load in float32, tied"),
        f"{short}.texts_cut_apart": figure(differing, 0, "texts", f"llama.cpp on {len(found)} texts"),
    }


def figure(value: float, goal: float, unit: str, against: str, better: str = "lower") -> dict[str, Any]:
    return {"value": round(value, 6), "goal": goal, "unit": unit, "better": better, "against": against}


@dataclass(frozen=True)
class Run:
    value: Any
    peak_mb: float


def apart(job: Callable[..., Any], *arguments: Any) -> Run:
    """Run `job` in a process of its own: what it returns, and the most memory that it held."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs, job, arguments))
    process.start()
    theirs.close()
    try:
        run: Run = ours.recv()
    except EOFError:
        sys.exit(f"{job.__name__} failed")
    process.join()
    return run


def _child(pipe: Any, job: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sys.path.insert(0, str(PEERS))
    value = job(*arguments)
    pipe.send(Run(value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def convert(gguf: Path, into: Path, dtype: Any) -> float:
    from reasoner.models.convert import convert
    from reasoner.models.progress import Silent

    into.mkdir()
    start = time.perf_counter()
    convert(gguf, into, "benchmark", Silent(), dtype)
    return time.perf_counter() - start


def tokenise(gguf: Path, directory: Path, found: list[str]) -> float:
    """Texts whose token ids differ."""
    from llama_cpp import Llama
    from tokenizers import Tokenizer

    ours = Tokenizer.from_file(str(directory / "tokenizer.json"))
    theirs = Llama(str(gguf), vocab_only=True, verbose=False)
    return sum(
        ours.encode(text, add_special_tokens=False).ids != theirs.tokenize(text.encode(), add_bos=False, special=False)
        for text in found
    )


def load_and_compare(gguf: Path, directory: Path, found: list[str]) -> tuple[float, float]:
    """Seconds that transformers takes to load the file, and the largest difference of any logit on `found`."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    torch.set_num_threads(2)
    disable_progress_bar()
    start = time.perf_counter()
    theirs = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype="float32")
    seconds = time.perf_counter() - start
    theirs.get_input_embeddings().weight = theirs.get_output_embeddings().weight
    ours = AutoModelForCausalLM.from_pretrained(directory, dtype="float32")
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    gap = 0.0
    with torch.no_grad():
        for text in found:
            ids = torch.tensor([tokenizer.encode(text).ids])
            gap = max(gap, (ours(ids).logits - theirs(ids).logits).abs().max().item())
    return seconds, gap


if __name__ == "__main__":
    main()

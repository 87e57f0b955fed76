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
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from core_peers import against_vllm, equality, one_stream, throughput
from core_rows import Setting, backtracks, cold_start, memory, schedule
from models import DEFAULT, SMALL, fetch_files

ROWS: dict[str, Callable[[Setting], Coroutine[Any, Any, dict[str, Any]]]] = {
    row.__name__: row
    for row in (equality, throughput, against_vllm, one_stream, backtracks, schedule, memory, cold_start)
}


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
        fetch_files()
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

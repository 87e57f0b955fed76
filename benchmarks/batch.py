"""What many tasks cost beyond their tokens, and that none is lost: every row of what a run has to show.

    python benchmarks/batch.py [--quick] [--only ROW]     --quick: less of everything, without the model

Rows: `overhead`, `memory`, `kills` and `busy` on the scripted core, `view` and `report` on what it leaves behind, `ray`
on two nodes of this machine (needs the extra `ray`), and `real`: 64 tasks in one batch and one at a time with the
default model, for each sandbox, which takes hours on two CPUs. Each row runs in a process of its own.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from batch_ray import ray
from batch_real import real
from batch_rows import busy, kills, memory, overhead, report, view

ROWS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    row.__name__: row for row in (overhead, memory, kills, busy, view, report, ray, real)
}


def main() -> None:
    flags = parse()
    if flags.child:
        print(json.dumps(ROWS[flags.child](flags)))
        return
    figures: dict[str, Any] = {}
    for name in flags.only or [name for name in ROWS if not (flags.quick and name == "real")]:
        figures |= _in_a_process_of_its_own(name)
    print(json.dumps(figures))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--only", choices=ROWS, action="append", help="one row; may be said again")
    real = parser.add_argument_group("of the row 'real'")
    real.add_argument("--sandbox", choices=("bubblewrap", "docker"), action="append", help="(default: both)")
    real.add_argument("--strategy", choices=("single", "default"), action="append", help="(default: both)")
    real.add_argument("--tasks", type=int, help="so many (default: 64; quick: 8)")
    real.add_argument("--tokens", type=int, default=4000, help="the budget of a task (default: 4000)")
    real.add_argument("--model", default="", help="(default: the default model; quick: SmolLM2-135M)")
    parser.add_argument("--child", choices=ROWS, help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_a_process_of_its_own(name: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *sys.argv[1:], "--child", name]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    print("\n".join(lines[:-1]), flush=True)
    found: dict[str, Any] = json.loads(lines[-1])
    return found


if __name__ == "__main__":
    main()

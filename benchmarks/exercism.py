"""Solve real coding tasks unattended, three ways: one greedy sample, plain best-of-N, the default strategy.

    python benchmarks/exercism.py [--sandbox bubblewrap|docker] [--tokens 4000] [--quick]

All three use one core, one prompt and one sandbox, and stop at the first attempt that passes every test. Best-of-N and
the default have the same budget of computed tokens a task (prompt and discarded branches included). Results are kept in
`runs/`, one line a task and arm, so an interrupted run goes on, and each task's trace beside them; they are graded in a
fresh world. The tasks are a development set: nothing of them may be trained on or tuned to.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from reasoner.assembly import assemble
from reasoner.config import Config, CoreConfig, SandboxConfig, SearchConfig
from reasoner.ledger import Budget
from reasoner.models.adapters import BASE
from reasoner.runtime import Reasoner
from reasoner.search import make
from reasoner.tasks import load
from reasoner.trace import Recorder
from reasoner.types import Result, Task

ROOT = Path(__file__).resolve().parent.parent
ARMS = {
    "single greedy": SearchConfig(strategy="single"),
    "best-of-N": SearchConfig(strategy="best_of_n", attempts=1000, temperature=0.8),
    "default": SearchConfig(attempts=1000),
    "with lessons": SearchConfig(attempts=1000, lessons=True),
}
QUICK = ("bob", "isogram", "pangram", "hexadecimal")


def main() -> None:
    flags = parse()
    tasks = [load(path) for path in sorted(flags.tasks.iterdir()) if path.is_dir()]
    if flags.quick:
        tasks = [task for task in tasks if task.id in QUICK]
    core = [] if flags.core == BASE else [flags.core.strip("./").replace("/", "-")]
    name = "-".join(["exercism", *core, flags.sandbox, flags.dtype, str(flags.tokens), *["quick"] * flags.quick])
    kept = ROOT / "runs" / f"{name}.jsonl"
    rows = asyncio.run(measure(flags, tasks, kept))
    print(table(rows))
    print(json.dumps(figures(rows, flags)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=Path, default=ROOT.parent / "shared" / "data" / "exercism")
    parser.add_argument("--sandbox", default="bubblewrap", choices=("bubblewrap", "docker"))
    parser.add_argument("--model", default=CoreConfig.model)
    parser.add_argument("--core", default=BASE, help="an adapter by name or path (default base, without one)")
    parser.add_argument("--dtype", default=CoreConfig.dtype, help="of the core's weights")
    parser.add_argument("--tokens", type=int, default=4000, help="budget of one task, computed tokens (default 4000)")
    parser.add_argument("--side-by-side", type=int, default=4, help="tasks in flight; their heads share one batch")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS, help="which to run (default: all)")
    parser.add_argument("--quick", action="store_true", help="four tasks and 1,500 tokens each")
    flags = parser.parse_args()
    flags.tokens = min(flags.tokens, 1500) if flags.quick else flags.tokens
    return flags


async def measure(flags: argparse.Namespace, tasks: list[Task], kept: Path) -> list[dict[str, object]]:
    kept.parent.mkdir(exist_ok=True)
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {(row["arm"], row["task"]) for row in rows}
    core = CoreConfig(model=flags.model, adapter=flags.core, dtype=flags.dtype)
    config = Config(core=core, sandbox=SandboxConfig(kind=flags.sandbox))
    turns = asyncio.Semaphore(flags.side_by_side)

    async def one(reasoner: Reasoner, arm: str, task: Task) -> None:
        async with turns:
            trace = kept.with_suffix("") / arm.replace(" ", "-") / f"{task.id}.jsonl"
            trace.unlink(missing_ok=True)
            with closing(Recorder(trace, time.monotonic)) as recorder:
                row = await solve(reasoner, arm, task, flags.tokens, recorder)
        rows.append(row)
        with kept.open("a") as out:
            out.write(json.dumps(row) + "\n")
        print(f"{row['seconds']:6.1f} s  {arm:14} {task.id:24} {row['status']}", file=sys.stderr, flush=True)

    for arm in flags.arms:
        left = [task for task in tasks if (arm, task.id) not in done]
        if left:
            async with assemble(config) as reasoner:  # a core that remembers nothing of the arm before
                await asyncio.gather(*(one(reasoner, arm, task) for task in left))
    return rows


async def solve(reasoner: Reasoner, arm: str, task: Task, tokens: int, recorder: Recorder) -> dict[str, object]:
    budget = Budget() if arm == "single greedy" else Budget(tokens=tokens)
    armed = replace(reasoner, strategy=make(ARMS[arm]), budget=budget)
    started = time.monotonic()
    result = await armed.solve(task, recorder)
    return {
        "arm": arm,
        "task": task.id,
        "status": result.status,
        "passed": passed(result),
        "spent": dict(result.spent),
        "level": result.level,
        "core": result.core,
        "stop": result.stop.reason,
        "seconds": time.monotonic() - started,
    }


def passed(result: Result) -> str:
    return f"{result.report.passed}/{result.report.counted}" if result.report else "0/0"


def table(rows: Iterable[dict[str, object]]) -> str:
    lines = [f"{'arm':16}{'solved':>10}{'tokens':>12}{'decoded':>10}{'cached':>10}{'task s':>10}{'test CPU s':>12}"]
    for arm in ARMS:
        own = [row for row in rows if row["arm"] == arm]
        if not own:
            continue
        spent = total(own)
        solved = sum(row["status"] == "solved" for row in own)
        lines.append(
            f"{arm:16}{solved:>6}/{len(own):<3}{spent['tokens']:>12.0f}{spent['decoded']:>10.0f}{spent['cached']:>10.0f}"
            f"{sum(float(str(row['seconds'])) for row in own):>10.0f}{spent['tool_cpu_s']:>12.1f}"
        )
    return "\n".join(lines)


def total(rows: list[dict[str, object]]) -> dict[str, float]:
    names = ("prefilled", "cached", "decoded", "verifier", "tool_cpu_s")
    sums = {name: sum(row["spent"][name] for row in rows) for name in names}  # type: ignore[index]
    return {**sums, "tokens": sums["prefilled"] + sums["decoded"] + sums["verifier"]}


def figures(rows: list[dict[str, object]], flags: argparse.Namespace) -> dict[str, object]:
    """Of the arms that ran; the default has a goal where both others did."""
    solved = {arm: sum(r["arm"] == arm and r["status"] == "solved" for r in rows) for arm in flags.arms}
    count = len({r["task"] for r in rows})
    unit = f"tasks of {count}, {flags.sandbox}, {flags.tokens} tokens"
    single, plain = solved.get("single greedy"), solved.get("best-of-N")
    goal = None if single is None or plain is None else max(2 * single, plain + 1)
    against = "the others: same prompt, budget and early stop" if goal is None else "twice single, above best-of-N"
    return {
        f"solved_{arm.replace(' ', '_')}": figure(number, goal if arm == "default" else None, unit, against)
        for arm, number in solved.items()
    }


def figure(value: float, goal: float | None, unit: str, against: str) -> dict[str, object]:
    return {"value": value, "goal": goal, "unit": unit, "better": "higher", "against": against}


if __name__ == "__main__":
    main()

"""The ruler: what a core does alone, recorded once, sample by sample, so that every later claim has its opponent.

    python benchmarks/baseline.py SET [--samples 16] [--limit N] [--model NAME] [--dtype DTYPE] [--terse] [--keep]

SET names problems and the prompt:

    mbpp-validation   ids 511-600; text and first assert in a plain prompt, the answer in a code fence
    mbpp-test         ids 11-510, the same
    mbpp-short        150 of these, drawn with seed 0
    mbpp-suite        the same 150 with all their asserts in the prompt, for solving against a suite
    gsm8k-cot         300 problems of the training file, drawn with seed 0 (never trained on); the answer in a box
    gsm8k-program     the same problems, answered by a program that is run
    mbpp-train        ids 601-974, for what is fitted on samples
    gsm8k-train       400 other problems of the training file, as gsm8k-cot, for the same

For each problem one greedy sample (sample -1) and `--samples` at temperature 0.8, each with its tokens, their
log-probabilities, its outcome and, for code, every test's. Tasks come in an order drawn with seed 0, so that the first
N are a fair draw. One line a sample in `runs/baseline/`; an interrupted run goes on, from `benchmarks/records/` where
that was kept (`--keep` packs it so). Code runs in the sandbox alone. Printed: greedy and coverage (pass@k, unbiased;
Chen et al., 2107.03374).
"""

import argparse
import asyncio
import json
import math
import random
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from records import ROOT, keep, mend, read, recording

from reasoner.assembly import assemble
from reasoner.completions import Completion, Sampling
from reasoner.config import Config, CoreConfig, SandboxConfig
from reasoner.dialect.driven import Driven
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.estimates import pass_at
from reasoner.models.adapters import BASE
from reasoner.protocols import Sandbox
from reasoner.runtime import Reasoner
from reasoner.tasks import read_jsonl
from reasoner.toolbox import Toolbox
from reasoner.tree import derive_seed
from reasoner.types import Files, Limits, Task, ToolCall

TEMPERATURE, MOST, MOST_THOUGHT = 0.8, 400, 512
HELD_OUT, LEARNT, SHORT = 300, 400, 150
Row = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """A prompt and what tells whether its answer is right. `grade` returns `correct` and whatever else it knows."""

    id: str
    prefix: list[int]
    stop: tuple[str, ...]
    grade: Callable[[str], Awaitable[Row]]
    most: int = MOST
    """Tokens of an answer."""


# --- problems --------------------------------------------------------------------------------------------------------


def problems(name: str, tokenizer: Tokenizer, sandbox: Sandbox | None, data: Path) -> Iterator[Problem]:
    """Without a sandbox for whom wants the prompts alone: then no code is right."""
    dialect = Driven(tokenizer)
    if name.startswith("mbpp"):
        ids = mbpp_ids(name)
        for task in read_jsonl(data / "mbpp.jsonl", visible="all" if name == "mbpp-suite" else "first"):
            if int(task.id) in ids:
                yield coding(task, dialect, sandbox)
    else:
        drawn = (learnt if name == "gsm8k-train" else held_out)(data / "gsm8k_train.jsonl")
        yield from (arithmetic(name, *problem, dialect, sandbox) for problem in drawn)


def mbpp_ids(name: str) -> set[int]:
    if name == "mbpp-validation":
        return set(range(511, 601))
    if name == "mbpp-train":
        return set(range(601, 975))
    test = range(11, 511)
    return set(test) if name == "mbpp-test" else set(random.Random(0).sample(test, SHORT))


def held_out(path: Path) -> list[tuple[int, str, str]]:
    """Index, question and answer of the validation split."""
    whole = lines_of(path)
    return [numbered(i, whole[i]) for i in _held_out(len(whole))]


def learnt(path: Path) -> list[tuple[int, str, str]]:
    """As many others as are taught from, drawn from all the rest."""
    whole = lines_of(path)
    rest = sorted(set(range(len(whole))) - set(_held_out(len(whole))))
    return [numbered(i, whole[i]) for i in sorted(random.Random(1).sample(rest, LEARNT))]


def _held_out(lines: int) -> list[int]:
    return sorted(random.Random(0).sample(range(lines), HELD_OUT))


def lines_of(path: Path) -> list[str]:
    """The file's last line may be cut."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def numbered(index: int, line: str) -> tuple[int, str, str]:
    record = json.loads(line)
    return index, record["question"], record["answer"].rpartition("####")[2].strip()


def coding(task: Task, dialect: Driven, sandbox: Sandbox | None) -> Problem:
    async def grade(text: str) -> Row:
        files, suite = dialect.solution(task, text).files, task.hidden or task.visible
        if not files or suite is None or sandbox is None:
            return {"correct": False, "tests": []}
        report = await sandbox.grade(files, suite, Limits())
        return {"correct": report.solved, "tests": [t.outcome for t in report.tests], "error": report.error}

    return Problem(task.id, prefix_of(task, dialect), dialect.code_stops(task), grade)


def prefix_of(task: Task, dialect: Driven) -> list[int]:
    return [*dialect.turns.first(plain(task)).ids, *dialect.attempt(task, "", None).ids]


def plain(task: Task) -> str:
    """The prompt of the ruler, which stays as it is whatever the product's own templates become."""
    tests = "\n".join([*filter(None, [task.visible.setup]), *task.visible.asserts]) if task.visible else ""
    lines = "\n".join(tests.strip("\n").splitlines()).rstrip()
    shown = f"Tests that must pass:\n```python\n{lines}\n```\n" if tests else ""
    return "\n\n".join(filter(None, [task.prompt.strip(), shown.strip(), WHOLE]))


def arithmetic(name: str, index: int, question: str, answer: str, dialect: Driven, sandbox: Sandbox | None) -> Problem:
    own, right = f"gsm8k/{index}", last_number(answer)
    if name == "gsm8k-program":
        task = Task(own, f"{question}\n\n{PROGRAM}", {}, ("solution.py",))

        async def run(text: str) -> Row:
            files = dialect.solution(task, text).files
            found = await returned(files, sandbox) if files and sandbox else None
            return {"correct": found == right, "answer": found}

        return Problem(own, prefix_of(task, dialect), dialect.code_stops(task), run)

    async def grade(text: str) -> Row:
        found = last_number(text)
        return {"correct": found == right, "answer": found}

    chat, encode = dialect.turns.chat, dialect.tokenizer.encode
    prefix = [*chat.start, *encode(COT), *chat.user, *encode(question), *chat.assistant]
    return Problem(own, prefix, (), grade, MOST_THOUGHT)


tools = cache(Toolbox.standard)
"""Read from their folders once."""


async def returned(files: Files, sandbox: Sandbox) -> float | None:
    """The number that `solution()` returns, to six places; None where it does not."""
    world = await sandbox.open(files, Limits())
    try:
        call = ToolCall("python", {"code": "from solution import solution\nprint()\nprint(float(solution()))"})
        result, _ = await tools().call(world, world.root, call)
    finally:
        await world.close()
    try:
        found = float(result.output.rstrip("\n").rpartition("\n")[2])
    except ValueError:
        return None
    return round(found, 6) if math.isfinite(found) and not result.error else None


WHOLE = "Write the whole file `solution.py` with working code in every function, and nothing else."
COT = "Please reason step by step, and put your final answer within \\boxed{}."
"""As the model's makers ask it for mathematics: of 48 other problems it solves 16 greedily so, and 10 where it is asked
for short sentences and a number after ####, since it then often answers without a step."""
PROGRAM = "Write a function solution() without parameters that computes and returns the answer as a number."


def last_number(text: str) -> float | None:
    """The last one in the last box, after ####, or anywhere."""
    boxed = re.findall(r"\\boxed\{([^{}]*)\}", text)
    for place in (boxed[-1] if boxed else "", text.rpartition("####")[2], text):
        if found := re.findall(r"-?\d[\d,]*\.?\d*", place):
            return float(found[-1].replace(",", ""))
    return None


# --- samples ---------------------------------------------------------------------------------------------------------


async def record(flags: argparse.Namespace, out: Path) -> list[Row]:
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = read(out)
    mend(out, rows)
    done = {(row["task"], row["sample"]) for row in rows}
    core = CoreConfig(model=flags.model, adapter=BASE, dtype=flags.dtype)
    config = Config(core=core, sandbox=SandboxConfig(kind=flags.sandbox))
    async with assemble(config) as reasoner:
        turns, graders = asyncio.Semaphore(flags.rows), asyncio.Semaphore(2)

        async def one(problem: Problem, sample: int) -> None:
            async with turns:
                asked = replace(sampling(problem, sample, reasoner), never=never)
                completion = await reasoner.core.complete(problem.prefix, asked)
            async with graders:
                outcome = await problem.grade(completion.text)
            rows.append(line := {**drawn, **row(problem, sample, completion, outcome)})
            with out.open("a") as file:
                file.write(json.dumps(line) + "\n")
            if len(rows) % 50 == 0:
                print(f"{len(rows)} samples, {sum(r['correct'] for r in rows)} correct", file=sys.stderr, flush=True)

        never = Driven(reasoner.core.tokenizer).remarks() if flags.terse else ()
        info = reasoner.core.info
        drawn = {"core": info.digest[:12], "dtype": info.dtype}
        others = {row["core"] for row in rows} - {drawn["core"]}
        if others:
            raise SystemExit(f"{out} holds samples of another core, {', '.join(others)}: move it away first")
        given = list(problems(flags.set, reasoner.core.tokenizer, reasoner.sandbox, flags.data))
        random.Random(0).shuffle(given)
        wanted = [(p, k) for p in given[: flags.limit] for k in range(-1, flags.samples)]
        await asyncio.gather(*(one(p, k) for p, k in wanted if (p.id, k) not in done))
    return rows


def sampling(problem: Problem, sample: int, reasoner: Reasoner) -> Sampling:
    return Sampling(
        temperature=0.0 if sample < 0 else TEMPERATURE,
        seed=derive_seed(0, problem.id, 0, sample + 1),
        max_tokens=problem.most,
        stop=problem.stop,
        stop_ids=tuple(reasoner.core.tokenizer.ends),
    )


def row(problem: Problem, sample: int, completion: Completion, outcome: Row) -> Row:
    return {
        "task": problem.id,
        "sample": sample,
        "prompt": len(problem.prefix),
        "ids": completion.ids,
        "text": completion.text,
        "logprobs": [round(p, 3) for p in completion.logprobs],
        "finish": completion.finish,
        **outcome,
    }


# --- figures ---------------------------------------------------------------------------------------------------------


def figures(rows: list[Row], samples: int) -> dict[str, Any]:
    greedy = [r["correct"] for r in rows if r["sample"] < 0]
    pools: dict[str, list[bool]] = {}
    for r in rows:
        if 0 <= r["sample"] < samples:
            pools.setdefault(r["task"], []).append(r["correct"])
    found = {"greedy": share(greedy)}
    for k in (k for k in (1, 2, 4, 8, 16, 40) if k <= samples):
        found[f"pass@{k}"] = share([pass_at(k, len(p), sum(p)) for p in pools.values() if len(p) >= k])
    return {name: {"value": value, "goal": None, "unit": "%", "better": "higher"} for name, value in found.items()}


def share(values: list[Any]) -> float:
    return round(100 * sum(values) / len(values), 2) if values else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ("mbpp-validation", "mbpp-test", "mbpp-short", "mbpp-suite", "mbpp-train")
    names += ("gsm8k-cot", "gsm8k-program", "gsm8k-train")
    parser.add_argument("set", choices=names, metavar="SET", help=", ".join(names))
    parser.add_argument("--samples", type=int, default=16, help="beside the greedy one (default 16)")
    parser.add_argument("--rows", type=int, default=48, help="completions side by side (default 48)")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N problems of the drawn order")
    parser.add_argument("--model", default=CoreConfig.model)
    parser.add_argument("--dtype", default=CoreConfig.dtype, choices=("auto", "bfloat16", "float32", "int4"))
    parser.add_argument("--sandbox", default="bubblewrap", choices=("bubblewrap", "docker"))
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--terse", action="store_true", help="mask what opens a comment or a docstring, as a set apart")
    parser.add_argument("--keep", action="store_true", help="pack what was recorded into benchmarks/records/ and end")
    flags = parser.parse_args()
    out = recording(f"{flags.set}{'-terse' if flags.terse else ''}", flags.model)
    if flags.keep:
        kept = keep(out)
        print(f"{kept}: {kept.stat().st_size / 1e6:.2f} MB")
        return
    rows = asyncio.run(record(flags, out))
    found = figures(rows, flags.samples)
    print("\n".join(f"{key:10} {value['value']:6.2f} %" for key, value in found.items()))
    print(json.dumps(found))


if __name__ == "__main__":
    main()

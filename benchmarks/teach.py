"""Makes the shipped core: the default model, taught on MBPP's train split and problems of GSM8K's train split.

    python benchmarks/teach.py -o runs/wheel [--generations 2] [--ship N | --keep] [-- flags of `reasoner flywheel` …]

Writes `tasks.jsonl` (by default all of MBPP's ids 601-974, and 120 GSM8K problems), `worked.jsonl` (2,400 problems of
GSM8K with their own solutions as programs, `benchmarks/programs.py`) and `held-out.jsonl` (MBPP ids 511-600, and 60
other problems) and turns the flywheel over them; the same command goes on after an interrupt.
What is reported on is neither (MBPP test, and the 300 GSM8K problems of `benchmarks/baseline.py`): it is written to
`reported.jsonl`, and a task that shares its text is not learnt from. How it searches and trains is `HOW`, sized for a
session on two CPU cores; flags of `reasoner flywheel` given after -- win over it, such as `-- --attempts 8 --checks 3`.
`--keep` packs searches, rows, curves and what the gate saw into `benchmarks/records/`, and a new directory begins with
these. `--ship N` says what the gate thinks of generation N beside the base and, where that is surely better, puts its
adapter into `reasoner/models/taught/`, where it is used by default. Its 9 MB are shipped, and not rows to train from:
training takes an hour on a CPU, and a user is to have the core at once.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from baseline import HELD_OUT, held_out, learnt, lines_of, mbpp_ids, numbered
from programs import program
from records import ROOT, pack, unpack

from reasoner import models
from reasoner.batch import read_records
from reasoner.batch.folder import RESULTS
from reasoner.cli import main as reasoner
from reasoner.flywheel import gate
from reasoner.flywheel.courses import WORK
from reasoner.flywheel.generations import Paths
from reasoner.flywheel.training import CURVE
from reasoner.models import adapters

T = TypeVar("T")
CHECKED = 60
HOW = (
    *("--visible", "first", "--strategy", "best_of_n", "--attempts", "4", "--width", "4", "--temperature", "0.8"),
    *("--core", "base", "--sandbox", "bubblewrap", "--workers", "24"),
    *("--context", "512", "--each", "3", "--batch", "8", "--rate", "4e-4", "--epochs", "1"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the flywheel's directory")
    parser.add_argument("--generations", type=int, default=2)
    parser.add_argument("--code", type=int, default=374, metavar="N", help="MBPP tasks (default 374, all)")
    parser.add_argument("--questions", type=int, default=120, metavar="N", help="GSM8K problems (default 120)")
    parser.add_argument("--worked", type=int, default=2400, metavar="N", help="worked GSM8K problems (default 2400)")
    parser.add_argument("--most", type=int, default=240, metavar="N", help="tokens of one attempt (default 240)")
    parser.add_argument("--ship", type=int, metavar="N", help="make the core of generation N the default")
    parser.add_argument("--keep", action="store_true", help="pack what is in the directory, and end")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("more", nargs="*", metavar="FLAG", help="flags of `reasoner flywheel`, after --")
    flags = parser.parse_args()
    if flags.keep:
        keep(flags.output)
        return 0
    unpack("wheel", flags.output)
    data: Path = flags.output / "data"
    data.mkdir(parents=True, exist_ok=True)
    for name, lines in (
        ("tasks", taught(flags.data, flags.code, flags.questions)),
        ("worked", worked(flags.data, flags.worked)),
        ("held-out", checked(flags.data)),
        ("reported", reported(flags.data)),
    ):
        (data / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (data / "settings.toml").write_text(f"[search]\nmax_tokens = {flags.most}\n")
    turn = ["flywheel", data / "tasks.jsonl", "--held-out", data / "held-out.jsonl", "-o", flags.output]
    turn += ["--worked", data / "worked.jsonl", "--measured", data / "reported.jsonl"]
    turn += ["--config", data / "settings.toml", *HOW]
    code = reasoner([*map(str, turn), "--generations", str(flags.generations), *flags.more])
    if not code and flags.ship:
        ship(flags.output, flags.ship)
    return code


def taught(data: Path, code: int, questions: int) -> Iterator[dict[str, Any]]:
    """The first of each in an order drawn for each, mixed."""
    tasks, problems = list(mbpp(data, "mbpp-train")), [question(*one) for one in learnt(data / "gsm8k_train.jsonl")]
    yield from shuffled([*shuffled(tasks)[:code], *shuffled(problems)[:questions]])


def worked(data: Path, count: int) -> Iterator[dict[str, Any]]:
    """Of the problems that nothing is measured on, those whose solution is a clear program, in an order drawn."""
    measured = {question["task_id"] for lines in (checked(data), reported(data)) for question in lines}
    found = []
    for index, line in enumerate(lines_of(data / "gsm8k_train.jsonl")):
        record, asked = json.loads(line), question(*numbered(index, line))
        code = program(record["question"], record["answer"])
        if code and asked["task_id"] not in measured:
            found.append({**asked, "solution": code})
    yield from shuffled(found)[:count]


def shuffled(given: Sequence[T]) -> list[T]:
    return random.Random(0).sample(given, len(given))


def checked(data: Path) -> Iterator[dict[str, Any]]:
    """What the gate measures on: none of it is taught from, and nothing of it is reported."""
    yield from mbpp(data, "mbpp-validation")
    path = data / "gsm8k_train.jsonl"
    taken = {index for index, *_ in (*learnt(path), *held_out(path))}
    lines = lines_of(path)
    rest = [index for index in range(len(lines)) if index not in taken]
    assert len(taken) >= HELD_OUT
    for index in sorted(random.Random(2).sample(rest, CHECKED)):
        yield question(*numbered(index, lines[index]))


def reported(data: Path) -> Iterator[dict[str, Any]]:
    yield from mbpp(data, "mbpp-test")
    yield from (question(*one) for one in held_out(data / "gsm8k_train.jsonl"))


def mbpp(data: Path, name: str) -> Iterator[dict[str, Any]]:
    ids = mbpp_ids(name)
    records = map(json.loads, (data / "mbpp.jsonl").read_text(encoding="utf-8").splitlines())
    return ({**record, "task_id": f"mbpp/{record['task_id']}"} for record in records if record["task_id"] in ids)


def question(index: int, text: str, answer: str) -> dict[str, Any]:
    return {"task_id": f"gsm8k/{index}", "question": text, "answer": answer}


def keep(wheel: Path) -> None:
    """Pack searches, rows, curves, and what was checked: not the adapters, the traces of checks, nor worked solutions,
    which are run again in minutes."""
    what = ("[0-9]*/search/**/*", "checks/*/*", "[0-9]*/*.json*", f"[0-9]*/*/{WORK}/{CURVE}")
    kept = [path for pattern in what for path in wheel.glob(pattern)]
    packed = pack(wheel, "wheel", kept)
    print(f"{packed}: {packed.stat().st_size / 1e6:.1f} MB")


def ship(wheel: Path, number: int) -> None:
    """Copy an adapter if the gate finds it surely better than the base, and say what it finds: what each generation's
    own gate says is whether it is surely better than the one before."""
    held = Paths(wheel.resolve(), number)
    base, taught = (
        gate.checked(read_records(held.check(name) / RESULTS)) for name in (adapters.BASE, held.adapter.name)
    )
    said = gate.decide(base, taught, np.random.default_rng(0))
    print(f"beside the base: {'' if said.promoted else 'not surely better, '}{said.reason}")
    if not said.promoted:
        return
    place = adapters.keep(held.adapter, models.default(), adapters.SHIPPED)
    print(f"{place}: {sum(file.stat().st_size for file in place.iterdir() if file.is_file()) / 1e6:.1f} MB")


if __name__ == "__main__":
    raise SystemExit(main())

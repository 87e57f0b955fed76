"""Makes the shipped core: the default model, taught on MBPP's train split and problems of GSM8K's train split.

    python benchmarks/teach.py -o runs/wheel [--generations 2] [--ship | --keep] [-- flags of `reasoner flywheel` …]

Writes `tasks.jsonl` (by default all of MBPP's ids 601-974, and 120 GSM8K problems), `worked.jsonl` (800 GSM8K problems
with their own solutions as programs, `benchmarks/programs.py`) and `held-out.jsonl` (MBPP ids 511-600, and 60 other
GSM8K problems) and turns the flywheel over them; the same command goes on after an interrupt.
What is reported on is neither (MBPP test, and the 300 GSM8K problems of `benchmarks/baseline.py`): it is written to
`reported.jsonl`, and a task that shares its text is not learnt from. How it searches and trains is `HOW`, sized for a
session on two CPU cores; flags of `reasoner flywheel` given after -- win over it, such as `-- --attempts 8 --checks 3`.
`--keep` packs searches, rows and what the gate saw into `benchmarks/records/`, from where a new directory goes on.
With `--ship` the adapter that was promoted last is put into `reasoner/models/taught/`, where it is used by default. Its
9 MB are shipped, and not rows to train from: training takes hours on a CPU, and a user is to have the core at once.
"""

import argparse
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from baseline import HELD_OUT, held_out, learnt, lines_of, mbpp_ids, numbered
from programs import program
from records import ROOT, pack, unpack

from reasoner import models
from reasoner.cli import main as reasoner
from reasoner.flywheel import generations
from reasoner.models import adapter, adapters

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
    parser.add_argument("--worked", type=int, default=800, metavar="N", help="worked GSM8K problems (default 800)")
    parser.add_argument("--most", type=int, default=240, metavar="N", help="tokens of one attempt (default 240)")
    parser.add_argument("--ship", action="store_true", help="make what was promoted the default core")
    parser.add_argument("--keep", action="store_true", help="pack what is in the directory, and end")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("more", nargs="*", metavar="FLAG", help="flags of `reasoner flywheel`, after --")
    flags = parser.parse_args()
    if flags.keep:
        keep(flags.output)
        return 0
    unpack("wheel", flags.output)
    put_back(flags.output)
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
        ship(flags.output)
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
    """Pack searches, rows, and what was checked: not the adapters, the traces of checks, nor worked solutions, which
    are run again in a minute."""
    kept = [*wheel.glob("[0-9]*/search/**/*"), *wheel.glob("checks/*/*"), *wheel.glob("[0-9]*/*.json*")]
    packed = pack(wheel, "wheel", kept)
    print(f"{packed}: {packed.stat().st_size / 1e6:.1f} MB")


def put_back(wheel: Path) -> None:
    """The adapter that was promoted last, where it is not in a directory that was unpacked: it is the shipped one."""
    found = generations.read(wheel)
    best = Path(generations.best(wheel.resolve(), found))
    last = next((one for one in reversed(found) if one.core == best.name), None)
    if last and not best.exists() and adapter.read(shipped()).digest == last.digest:
        shutil.copytree(shipped(), best)


def shipped() -> Path:
    return adapters.SHIPPED / models.default()


def ship(wheel: Path) -> None:
    """Copy the adapter that was promoted last, without what training left beside it."""
    best = generations.best(wheel.resolve(), generations.read(wheel))
    if best == adapters.BASE:
        print("nothing was promoted, so nothing is shipped")
        return
    place = shipped()
    files = [adapter.MANIFEST, *adapter.read(Path(best)).files]
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in files:
        shutil.copyfile(Path(best) / name, place / name)
    print(f"{place}: {sum((place / name).stat().st_size for name in files) / 1e6:.1f} MB")


if __name__ == "__main__":
    raise SystemExit(main())

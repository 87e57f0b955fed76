"""What teaching a core brings: protocol, steps back, what is solved, what a reward head tells, the next generation.

    python benchmarks/flywheel.py [--core ADAPTER] [--rows ROW …] [--wheel DIR] [--quick]

    protocol      500 episodes on MBPP test at temperature 0.8, nothing masked: share of steps that parse, with the
                  untrained control tokens beside it on 50 of them
    backtrack     from the failed nodes of these episodes and with as many tokens left: step back, go on in the context,
                  begin anew
    solved        MBPP at equal tokens, at most 300, 500 (the claim) and 1,000 a task for the trained core; the driven
                  base, and plain best-of-N as it was recorded, are given as many as that came to
    gsm8k         held-out problems, greedy with the Python tool, against the base core's own chain of thought
    reward        a reward head against certainty as selector, best of 16, on code and on maths (base core)
    generations   what the gate said of each generation of --wheel, a directory of `reasoner flywheel`

MBPP test is ids 11-510 (by default 150 of them, `--set mbpp-test` for all); the GSM8K problems are 300 of the training
file that nothing is taught from (`benchmarks/baseline.py` draws them). Everything that runs the model goes on where it
was interrupted: one line a task in `runs/flywheel/`. Rows `solved`, `gsm8k` and `reward` read what
`benchmarks/baseline.py` recorded, and say which command records what is missing. Intervals are over tasks, 95 %.
"""

import argparse
import asyncio
import json
import random
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from baseline import mbpp_ids
from flywheel_heads import SAMPLES, selectors
from flywheel_live import ARMS, BACK, EPISODES, OTHER, RUNS, Row, again, failures, live, parsed, untrained
from records import ROOT, pack, read, recording, unpack

from reasoner.config import SearchConfig, SpeechConfig
from reasoner.estimates import Difference, difference, wilson
from reasoner.figures import Draws, Run, against
from reasoner.flywheel import generations
from reasoner.models.adapters import BASE
from reasoner.replay.pools import read_pools
from reasoner.verifiers import certainty

Figure = dict[str, Any]
Figures = dict[str, Figure]


class Missing(Exception):
    """What a row needs and is not there."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--core", metavar="ADAPTER", default="", help="path or name of the trained adapter (default: the shipped one)"
    )
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--set", default="mbpp-short", choices=("mbpp-short", "mbpp-test", "mbpp-validation"))
    parser.add_argument("--left", type=int, default=500, help="tokens left in row `backtrack` (default 500)")
    parser.add_argument("--wheel", type=Path, help="a directory of `reasoner flywheel`")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--quick", action="store_true", help="four tasks of each row that runs the model")
    parser.add_argument(
        "--keep", action="store_true", help="pack what was run into benchmarks/records/, episodes too, and end"
    )
    flags = parser.parse_args()
    if flags.keep:
        print(pack(RUNS, "flywheel", [*RUNS.glob("*/*.jsonl"), *RUNS.glob(f"*/{EPISODES}/*.jsonl")]))
        return
    unpack("flywheel", RUNS)
    found: Figures = {}
    for name in flags.rows:
        try:
            found |= ROWS[name](flags)
        except Missing as missing:
            print(f"{name:14} left out: {missing}")
    for name, figure in found.items():
        print(f"{name:30} {figure['value']:>8} {figure['unit']:8} goal {figure['goal']}; {figure['against']}")
    print(json.dumps(found))


def chosen(flags: argparse.Namespace) -> list[str]:
    ids = sorted(map(str, mbpp_ids(flags.set)), key=int)
    return ids[:4] if flags.quick else ids


# --- rows ---


def protocol(flags: argparse.Namespace) -> Figures:
    """One attempt a task over all of MBPP test, with what each step was; the same on a few, never trained."""
    whole = sorted(map(str, mbpp_ids("mbpp-test")), key=int)
    few = random.Random(0).sample(whole, UNTRAINED)
    found: Figures = {}
    for name, core, ids in (
        ("trained", flags.core, whole),
        ("untrained", str(untrained(RUNS)), few),
    ):
        rows = episodes(name, core, chosen(flags) if flags.quick else ids, flags)
        good, bad, cut = (sum(row[key] for row in rows.values()) for key in ("good", "bad", "cut"))
        share = wilson(good, good + bad)
        steps = f"{good + bad} steps of {len(rows)} episodes, {points(share.low)} to {points(share.high)}"
        steps += f"; {cut} more were cut off where an attempt's tokens ended"
        found[f"protocol_{name}"] = figure(points(share.value), 99 if name == "trained" else None, "%", steps)
    return found


def episodes(name: str, core: str, ids: Sequence[str], flags: argparse.Namespace) -> dict[str, Row]:
    """One attempt at each task, nothing masked, with its trace."""
    search = SearchConfig("best_of_n", attempts=1, width=1, temperature=0.8)
    free = SpeechConfig(grammar=False, failed="")
    return asyncio.run(live(f"protocol-{name}", core, search, ids, flags, speech=free, traced=True, said=parsed))


def backtrack(flags: argparse.Namespace) -> Figures:
    """Nodes whose tests failed, then each arm from there: of all, by how they failed, and by how long the code was."""
    ids = chosen(flags)
    episodes("trained", flags.core, ids, flags)
    arms = {arm: solved(asyncio.run(again(arm, flags.core, ids, flags))) for arm in ARMS}
    how = failures(flags.core, ids, flags)
    groups: dict[str, list[str]] = {"all": list(how)}
    for task, (kind, length) in how.items():
        for group in (kind, "longer code" if length > LONG else f"code of up to {LONG} tokens"):
            groups.setdefault(group, []).append(task)
    return {f"{back}: {group}": _arms(back, arms, groups[group], flags) for back in BACK for group in sorted(groups)}


def _arms(back: str, arms: Mapping[str, dict[str, float]], tasks: Iterable[str], flags: argparse.Namespace) -> Figure:
    """One way of stepping back against the better of the two that do not, over these tasks."""
    wanted = set(tasks)
    shares = {arm: {task: share for task, share in found.items() if task in wanted} for arm, found in arms.items()}
    other = max(OTHER, key=lambda arm: mean(shares[arm].values()))
    by = paired(shares[other], shares[back])
    told = ", ".join(f"{arm} {points(mean(found.values()))}" for arm, found in shares.items())
    return against_other(by, 5, f"{told}, of {by.tasks} failed nodes, {flags.left} tokens left")


def equal(flags: argparse.Namespace) -> Figures:
    """The trained core against the better of the driven base and plain sampling, at several budgets."""
    plain = plain_pools(flags)
    ids = [task for task in chosen(flags) if task in plain]
    search, most, rows = SearchConfig(attempts=1000, width=1), max(TOKENS), {}
    for name, core in (("trained", flags.core), ("driven", BASE)):
        rows[name] = asyncio.run(live(f"solved-{name}-{most}", core, search, ids, flags, tokens=most))
    tasks = sorted(rows["trained"].keys() & rows["driven"].keys())
    if not tasks:
        raise Missing("no task came so far that it can be compared")
    return {f"solved_{tokens}": _at(tokens, tasks, rows, plain) for tokens in TOKENS}


def _at(tokens: int, tasks: Sequence[str], rows: Mapping[str, dict[str, Row]], plain: Mapping[str, Draws]) -> Figure:
    """Runs with more tokens, cut at so many for the trained core; both others at what computes as many as it did."""
    trained, driven = ([rows[name][task] for task in tasks] for name in ("trained", "driven"))
    runs = [cut(row, tokens) for row in trained]
    most = as_many(driven, mean(run.tokens for run in runs))
    other = [cut(row, most) for row in driven]
    beside = against(runs, [plain[task] for task in tasks], np.random.default_rng(0))
    shares = [[float(run.correct) for run in found] for found in (other, runs)]
    by = min(difference(*shares, np.random.default_rng(0)), beside.by, key=lambda found: found.by.value)
    told = ", ".join(
        f"{name} {points(share)} ({cost:.0f})"
        for name, share, cost in (
            ("trained", mean(shares[1]), mean(run.tokens for run in runs)),
            ("driven", mean(shares[0]), mean(run.tokens for run in other)),
            ("best-of-N", beside.plain.value, beside.plain_tokens),
        )
    )
    what = f"{told}; at most {tokens} tokens a task, driven {most}, {len(tasks)} tasks"
    return against_other(by, 5 if tokens == CLAIM else None, what)


def as_many(rows: Sequence[Row], tokens: float) -> int:
    """The least cap at which these searches computed so many tokens a task, or the whole of them."""
    return bisect_left(range(max(TOKENS)), tokens, key=lambda most: mean(cut(row, most).tokens for row in rows))


def cut(row: Row, tokens: int) -> Run:
    """A search that had more tokens, had it ended at so many: one that goes on has not passed the visible test, which
    is one of those that grade."""
    return Run(bool(row["solved"]) and spent(row) <= tokens, min(spent(row), tokens))


def plain_pools(flags: argparse.Namespace) -> dict[str, Draws]:
    """Recorded samples of each task of the set, in the order of drawing; the first assert could be seen."""
    recorded(flags.set)
    pools = read_pools([recording(flags.set)])
    return {pool.task: pool.draws(certainty.SOURCE) for pool in pools if len(pool.samples) >= SAMPLES}


def gsm8k(flags: argparse.Namespace) -> Figures:
    """Greedy, with the Python tool."""
    base = {row["task"]: float(row["correct"]) for row in recorded("gsm8k-cot") if row["sample"] < 0}
    ids = sorted(base)[:4] if flags.quick else sorted(base)
    search = SearchConfig("single", temperature=0.0)
    taught = solved(asyncio.run(live("gsm8k", flags.core, search, ids, flags)))
    by = paired({task: base[task] for task in taught}, taught)
    told = f"{points(mean(taught.values()))} against {points(mean(base[t] for t in taught))} by chain of thought"
    return {"gsm8k": against_other(by, 15, f"{told}, {by.tasks} problems")}


def reward(flags: argparse.Namespace) -> Figures:
    """Each fifth of the tasks by a head that has not seen it, held against certainty."""
    found: Figures = {}
    for what, sets in (("code", (flags.set, "mbpp-train")), ("maths", ("gsm8k-program",))):
        try:
            ways = selectors({name: recorded(name) for name in sets}, flags)
        except Missing as missing:
            print(f"reward, {what:6} left out: {missing}")
            continue
        told = ", ".join(f"{way} {points(mean(right.values()))}" for way, right in ways.items())
        sure = ways.pop("certainty")
        found |= {
            f"reward_{what}, {way}": against_other(paired(sure, right), 3, f"{told}, {len(sure)} tasks")
            for way, right in ways.items()
        }
    return found


def wheel(flags: argparse.Namespace) -> Figures:
    """What the gate said."""
    if flags.wheel is None or not (done := generations.read(flags.wheel)):
        raise Missing("give --wheel DIR, a directory of `reasoner flywheel` with a generation in it")
    return {
        f"generation_{one.number}": figure(
            points(one.gate.by.value),
            None,
            "points",
            f"{'promoted' if one.gate.promoted else 'refused'} against {one.parent}: {one.gate.reason}",
        )
        for one in done
    }


ROWS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "protocol": protocol,
    "backtrack": backtrack,
    "solved": equal,
    "gsm8k": gsm8k,
    "reward": reward,
    "generations": wheel,
}
UNTRAINED = 50
"""Episodes of the core whose control tokens were never trained: enough to see that it cannot speak."""
TOKENS, CLAIM = (300, 500, 1000), 500
LONG = 44
"""Tokens of failed code: the median of the first 84 nodes."""


# --- figures ---


def recorded(name: str) -> list[Row]:
    path = recording(name)
    if not path.exists():
        raise Missing(f"record it first: python benchmarks/baseline.py {name}")
    return read(path)


def solved(rows: dict[str, Row]) -> dict[str, float]:
    return {task: float(row["solved"]) for task, row in rows.items()}


def paired(first: dict[str, float], second: dict[str, float]) -> Difference:
    tasks = sorted(first.keys() & second.keys())
    if not tasks:
        raise Missing("no task came so far that it can be compared")
    return difference([first[t] for t in tasks], [second[t] for t in tasks], np.random.default_rng(0))


def spent(row: Row) -> int:
    """Tokens computed, discarded branches included."""
    return int(row["spent"]["prefilled"] + row["spent"]["decoded"] + row["spent"]["verifier"])


def mean(values: Any) -> float:
    held = list(values)
    return sum(held) / max(1, len(held))


def points(share: float) -> float:
    return round(100 * share, 1)


def against_other(by: Difference, goal: float | None, told: str) -> dict[str, Any]:
    interval = f"{points(by.by.low)} to {points(by.by.high)}"
    return figure(points(by.by.value), goal, "points", f"{told}; interval {interval}")


def figure(value: float, goal: float | None, unit: str, against: str) -> dict[str, Any]:
    return {"value": value, "goal": goal, "unit": unit, "better": "higher", "against": against}


if __name__ == "__main__":
    main()

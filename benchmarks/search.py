"""What search, verifiers and stopping buy, on the ruler's recorded samples and beside it.

    python benchmarks/search.py [--rows ROW …] [--set mbpp-short|mbpp-test] [--quick]

Reads what `benchmarks/baseline.py` recorded in `runs/baseline/` and says which command records what is missing. Rows on
recorded samples, at no model cost:

    selected      hidden tests grade what is chosen of 16 samples, against greedy and against the surest of 16
    calibrated    P(correct) of every sample, fitted on the other half of the tasks
    votes         GSM8K answered by vote: adaptive stopping against all 40 samples
    exchange      the 0.5B model with 16 samples against 1.5B greedy

Rows that run the model, resumable, one line a task in `runs/search/`, against what `baseline.py mbpp-suite` recorded:

    visible       every assert visible: the default strategy against plain best-of-N with the same early stop
    adaptive      the same for `adaptive`: tokens at equal accuracy

A goal is met where the interval is above it or, where it names a value, the value is. What hidden tests grade are all
asserts of a task, the visible one too, as MBPP is usually graded. Where the opponent would have needed samples that
were not recorded, there is no figure. Toy trees and the cost of deciding have a file of their own, `search_toys.py`.
Intervals are over tasks, 95 %.
"""

import argparse
import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import records
from baseline import mbpp_ids
from numpy.typing import NDArray
from records import ROOT, WORK, recording
from search_judged import Row, certainty, judged
from search_live import live, spent

from reasoner import models
from reasoner.config import SearchConfig
from reasoner.errors import TraceError
from reasoner.estimates import Difference, Estimate, difference
from reasoner.figures import Draws, Run, against, honest, plain
from reasoner.replay.again import Point, curve
from reasoner.replay.policies import policy, selection
from reasoner.replay.pools import Pool, read_pools
from reasoner.verifiers.calibrate import Row as Known
from reasoner.verifiers.calibrate import crosswise
from reasoner.verifiers.reliability import auroc, brier_skill, ece, reliability

SAMPLES, VOTES = 16, 40
LEADS = tuple(f"leads:{sure}" for sure in (0.6, 0.7, 0.8, 0.9, 0.95, 0.99))
STOPS = (*LEADS, "agrees:5", "calls", "fixed:9", "fixed:20", "fixed:40")
ORDERS = 40
"""Of the samples of a task that votes."""
BUDGETS = (300, 500, 700, 1000)
"""Tokens a task in rows that run the model, beside `--tokens`."""
Figures = dict[str, dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--set", default="mbpp-short", choices=("mbpp-short", "mbpp-test"))
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument(
        "--tokens",
        type=int,
        default=1500,
        help="of one task, in rows that run the model (default 1500: samples are recorded for that)",
    )
    parser.add_argument("--quick", action="store_true", help="twenty tasks of what is recorded, and no model")
    flags = parser.parse_args()
    found: Figures = {}
    for name in flags.rows:
        if flags.quick and name in ("visible", "adaptive"):
            continue
        try:
            found |= ROWS[name](flags)
        except (FileNotFoundError, TraceError, ValueError) as error:
            print(f"{name}: skipped, {error}")
    print(json.dumps(found))


# --- what was recorded -----------------------------------------------------------------------------------------------


def recorded(name: str, flags: argparse.Namespace, model: str = "") -> list[Row]:
    """The rows of those of a set's tasks that have all their samples."""
    rows = records.read(_recording(f"{name} --model {model}" if model else name, name, model))
    ids = {str(i) for i in mbpp_ids(name)} if name.startswith("mbpp") else {r["task"] for r in rows}
    drawn = Counter(row["task"] for row in rows)
    full = {task for task, count in drawn.items() if count == max(drawn.values())}
    kept = sorted(ids & full, key=lambda task: (len(task), task))[: 20 if flags.quick else None]
    return [row for row in rows if row["task"] in set(kept)]


def _recording(asked: str, name: str, model: str = "") -> Path:
    """The file of a set's samples; `asked` is what has `baseline.py` make it. Raises `FileNotFoundError`."""
    path = recording(name, model)
    if not path.exists():
        raise FileNotFoundError(f"nothing is recorded: python benchmarks/baseline.py {asked}")
    return path


def judged_rows(flags: argparse.Namespace) -> list[Row]:
    rows = [row for row in recorded(flags.set, flags) if row["sample"] < SAMPLES]
    kept = WORK / f"{flags.set}-judged-{rows[0]['core']}-{len(rows)}.jsonl"
    wanted = {row["task"] for row in rows}
    found = asyncio.run(judged(rows, flags.data, models.resolve(models.default()), kept))
    return [row for row in found if row["task"] in wanted]


def greedy(rows: Sequence[Row]) -> dict[str, float]:
    return {row["task"]: float(row["correct"]) for row in rows if row["sample"] < 0}


# --- rows on recorded samples ----------------------------------------------------------------------------------------


def selected(flags: argparse.Namespace) -> Figures:
    rows, chance = recorded(flags.set, flags), np.random.default_rng(0)
    found = judged_rows(flags)
    order = [row["task"] for row in found]
    surest = {row["task"]: float(_surest(rows, row["task"])["correct"]) for row in found}
    alone = greedy(rows)
    first, sure = [alone[t] for t in order], [surest[t] for t in order]
    covered = sum(any(s["correct"] for s in row["samples"]) for row in found) / len(found)
    print(
        f"selected: {len(order)} tasks, greedy {np.mean(first):.1%}, surest of {SAMPLES} {np.mean(sure):.1%}, ", end=""
    )
    print(f"coverage {covered:.1%}, {_tokens(found):.0f} tokens a task")
    _together(flags, set(order))
    ways: dict[str, Callable[[Row], int]] = {
        "visible test, then certainty": _by_test,
        "vote of behaviours": _by_vote,
        "the same, weighed by certainty": lambda row: _elected(row, "certainty"),
        "calibrated, fitted on other tasks": _by_probability(found),
    }
    figures: Figures = {}
    for name, way in ways.items():
        chosen = [float(row["samples"][way(row)]["correct"]) for row in found]
        more, better = difference(first, chosen, chance), difference(sure, chosen, chance)
        print(f"  {name:36} {np.mean(chosen):6.1%}   greedy {_points(more)}   surest {_points(better)}")
        if name == "vote of behaviours":
            figures = {
                "selected_over_greedy": _paired(more, 15, "one greedy sample"),
                "selected_over_surest": _paired(better, 8, f"surest of {SAMPLES}"),
            }
    return figures


def calibration(flags: argparse.Namespace) -> Figures:
    found = judged_rows(flags)
    pairs = [
        (p, bool(s["correct"])) for row, ps in _probabilities(found) for p, s in zip(ps, row["samples"], strict=True)
    ]
    error, ranks, skill = ece(pairs), auroc(pairs), brier_skill(pairs)
    print(f"calibrated: {len(pairs)} samples, ECE {error:.3f}, AUROC {ranks:.3f}, Brier skill {skill:.3f}")
    for one in reliability(pairs):
        print(f"  said {one.stated:.2f}, were right {one.right:.2f}, {one.count} samples")
    return {
        "calibration_ece": _figure(error, 0.05, "", "samples of tasks it was not fitted on", "lower"),
        "calibration_auroc": _figure(ranks, 0.8, "", "chance 0.5"),
        "calibration_skill": _figure(skill, 0.3, "", "the base rate"),
    }


def votes(flags: argparse.Namespace) -> Figures:
    figures: Figures = {}
    for name in ("gsm8k-program", "gsm8k-cot"):
        path = _recording(f"{name} --samples {VOTES}", name)
        pools = [pool for pool in read_pools([path]) if len(pool.samples) >= VOTES]
        if not pools:
            raise FileNotFoundError(f"no task of {name} has {VOTES} samples yet")
        figures |= _stopped(name, pools)
    return figures


def _stopped(name: str, pools: Sequence[Pool]) -> Figures:
    """Against a plain vote of all samples, what a policy answers by a vote, and by one that certainty weighs."""
    chance, figures = np.random.default_rng(0), Figures()

    @cache
    def point(way: str, select: str) -> Point:
        chosen = selection(select, pools)
        return curve(pools, way, policy(f"{way}+fixed:{VOTES}"), chosen, orders=ORDERS)[0]

    whole = point(f"fixed:{VOTES}", "vote")
    print(f"votes: {name}, {len(pools)} tasks, all {VOTES} samples {whole.accuracy.value:.1%}")
    for way in STOPS:
        plain, weighed = point(way, "vote"), point(way, "vote:certainty")
        by, other = (difference(whole.each, one.each, chance) for one in (plain, weighed))
        fewer = whole.samples.value / plain.samples.value
        print(f"  {way:11} {plain.samples.value:5.1f} samples, {fewer:4.1f}x  {_points(by)}   weighed {_points(other)}")
        if way in ("leads:0.95", "calls"):
            within = by.by.low >= -0.01 and by.by.high <= 0.01
            told = f"{VOTES} each; accuracy {_points(by)}, {'' if within else 'not '}within 1 point"
            figures[f"{name}_{way.partition(':')[0]}"] = _figure(fewer, 4, "x fewer samples", told)
    print(f"  whoever knew all and gave the vote's own answer: {np.mean(list(_settled(pools))):.1f} samples")
    return figures


def _settled(pools: Sequence[Pool]) -> Iterator[int]:
    """Of each pool, in several orders, after how many samples the leader is the one that all of them elect."""
    chance = random.Random(0)
    for pool in pools:
        for _ in range(ORDERS):
            keys = [sample.key for sample in chance.sample(pool.samples, VOTES)]
            counts: Counter[str] = Counter()
            leaders = []
            for key in keys:
                counts.update([key] if key else [])
                leaders.append(next((leader for leader, _ in counts.most_common(1)), ""))
            yield max((n + 1 for n, leader in enumerate(leaders, 1) if leader != leaders[-1]), default=1)


def exchange(flags: argparse.Namespace) -> Figures:
    """How many samples of the small core, elected by vote, come to what one greedy sample of the large one does."""
    theirs = [row for row in recorded("mbpp-short", flags, "1.5b") if row["sample"] < 0]
    large, cost = greedy(theirs), {row["task"]: row["prompt"] + len(row["ids"]) for row in theirs}
    found = [row for row in judged_rows(flags) if row["task"] in large]
    tasks, chance = [row["task"] for row in found], np.random.default_rng(0)
    beside = [large[task] for task in tasks]
    print(f"exchange: {len(found)} tasks, 1.5B greedy {np.mean(beside):.1%}, ", end="")
    print(f"{np.mean([cost[task] for task in tasks]):.0f} tokens a task")
    enough: int | None = None
    for n in (1, 2, 4, 8, 12, SAMPLES):
        chosen = [float(row["samples"][of_first(row, n)]["correct"]) for row in found]
        by = difference(beside, chosen, chance)
        tokens = np.mean([row["prompt"] + sum(s["tokens"] for s in row["samples"][:n]) for row in found])
        enough = n if enough is None and by.by.value >= 0 else enough
        print(f"  0.5B with {n:2} samples {np.mean(chosen):6.1%}, {tokens:5.0f} tokens, {_points(by)}")
    told = f"1.5B greedy; as good from {enough} samples on" if enough else "1.5B greedy; never as good"
    return {"small_over_large": _paired(by, 0, told)}


def of_first(row: Row, n: int) -> int:
    """The vote among the first samples: of those that pass most of the visible test, the most frequent behaviour."""
    said = row["samples"][:n]
    best = max(s["said"].get("visible", 0.0) for s in said)
    keys = [s.get("key", "") if s["said"].get("visible", 0.0) == best else "" for s in said]
    votes = Counter(key for key in keys if key)
    if not votes:
        return max(range(n), key=lambda i: (said[i]["said"].get("visible", 0.0), said[i]["said"].get("certainty", 0.0)))
    return keys.index(votes.most_common(1)[0][0])


# --- rows that run the model -----------------------------------------------------------------------------------------


def visible(flags: argparse.Namespace) -> Figures:
    runs, pools = _searched(flags, "default", SearchConfig(attempts=1000, width=1))
    found: Figures = {}
    for most, few in _budgets(flags, runs):
        if by := _against(f"visible, {most} tokens", few, pools):
            found[f"visible_over_plain_{most}"] = _paired(by, 3, "best-of-N at equal tokens")
    return found


def adaptive(flags: argparse.Namespace) -> Figures:
    runs, pools = _searched(flags, "adaptive", SearchConfig("adaptive", attempts=1000, width=1))
    found: Figures = {}
    for most, few in _budgets(flags, runs):
        if _against(f"adaptive, {most} tokens", few, pools) is None:
            continue
        if (ratio := _ratio(few, pools)) is None:
            print("  no figure: plain sampling never reaches that with what was recorded")
            continue
        told = f"{ratio.low:.2f} to {ratio.high:.2f}"
        print(f"  plain sampling reaches that with {ratio.value:.2f}x the tokens, {told}")
        found[f"adaptive_tokens_{most}"] = _figure(ratio.value, 1.5, "x fewer", f"best-of-N, equal accuracy; {told}")
    return found


def _budgets(flags: argparse.Namespace, runs: list[Run]) -> Iterator[tuple[int, list[Run]]]:
    """What smaller budgets come to: attempts come one after another, so what was solved within each."""
    for most in BUDGETS:
        if most < flags.tokens:
            yield most, [Run(run.correct and run.tokens <= most, min(run.tokens, most)) for run in runs]
    yield flags.tokens, runs


def _searched(flags: argparse.Namespace, name: str, search: SearchConfig) -> tuple[list[Run], list[Draws]]:
    """By task that was both searched and recorded, what it came to, and its recorded samples."""
    pools, ids = _suite_pools(flags), sorted(mbpp_ids("mbpp-suite"))
    found = asyncio.run(live(name, search, [str(i) for i in ids], flags))
    both = [task for task in found if task in pools]
    if not both:
        raise ValueError("no task was both recorded and searched")
    return [Run(bool(found[t]["solved"]), spent(found[t])) for t in both], [pools[t] for t in both]


def _against(said: str, runs: Sequence[Run], pools: Sequence[Draws]) -> Difference | None:
    """Plain sampling at equal tokens; None where it would have needed samples that were not recorded."""
    found = against(runs, pools, np.random.default_rng(0))
    print(f"{said}: {len(runs)} tasks, {found.method.value:.1%} with {found.tokens.value:.0f} tokens each, ", end="")
    print(f"plain {found.plain.value:.1%} with {found.plain_tokens:.0f}, {_points(found.by)}")
    if found.plain_tokens >= 0.98 * found.tokens.value:
        return found.by
    print(f"  no figure: plain sampling wanted more samples than were recorded on {found.censored:.0%} of the tasks")
    return None


def _suite_pools(flags: argparse.Namespace) -> dict[str, Draws]:
    tasks = {row["task"] for row in recorded("mbpp-suite", flags)}
    pools = read_pools([recording("mbpp-suite")], "all")
    return {pool.task: pool.draws("certainty") for pool in pools if pool.task in tasks}


def _ratio(mine: Sequence[Run], pools: Sequence[Draws]) -> Estimate | None:
    """Tokens with which plain sampling solves as much as a method did, for each of the method's, and its interval over
    resampled tasks; infinite at the end where plain sampling does not come there. None where it never does."""
    caps = range(100, max(pool.prompt + sum(c.tokens for c in pool.candidates) for pool in pools) + 20, 20)
    plainly = [[plain(pool, cap) for pool in pools] for cap in caps]
    right = np.array([[run.correct for run in runs] for runs in plainly], float)
    tokens = np.array([[run.tokens for run in runs] for runs in plainly], float)
    solved, took = np.array([run.correct for run in mine], float), np.array([run.tokens for run in mine], float)

    def at(drawn: NDArray[np.intp]) -> float:
        enough = np.flatnonzero(right[:, drawn].mean(1) >= solved[drawn].mean() - 1e-9)
        return float(tokens[enough[0]][drawn].mean() / took[drawn].mean()) if len(enough) else float("inf")

    value, chance, n = at(np.arange(len(mine))), np.random.default_rng(0), len(mine)
    drawn = [at(chance.integers(0, n, n)) for _ in range(1000)]
    low, high = np.percentile(drawn, [2.5, 97.5], method="nearest")
    return Estimate(value, float(low), float(high)) if np.isfinite(value) else None


# --- choosing --------------------------------------------------------------------------------------------------------


def _elected(row: Row, how: str) -> int:
    """The first sample where nothing could be elected."""
    return row["elected"][how] or 0


def _by_vote(row: Row) -> int:
    return _elected(row, "votes")


def _tokens(found: Sequence[Row]) -> float:
    return float(np.mean([row["prompt"] + sum(s["tokens"] for s in row["samples"]) for row in found]))


def _together(flags: argparse.Namespace, tasks: set[str]) -> None:
    """What no figure of selection stands without: coverage, what is lost, plain sampling with its early stop."""
    draws = [pool.draws("certainty") for pool in read_pools([recording(flags.set)]) if pool.task in tasks]
    said = honest(draws, np.random.default_rng(0), SAMPLES)
    print("  " + ", ".join(f"pass@{k} {share.value:.1%}" for k, share in said.coverage.items()), end="")
    print(f", gap of visible-then-certainty {said.gap.value:.1%}; best-of-{SAMPLES} with early stop ", end="")
    print(f"{said.early.value:.1%} with {said.early_tokens.value:.0f} of {said.tokens.value:.0f} tokens")


def _surest(rows: Sequence[Row], task: str) -> Row:
    return max((r for r in rows if r["task"] == task and 0 <= r["sample"] < SAMPLES), key=certainty)


def _by_test(row: Row) -> int:
    said = [s["said"] for s in row["samples"]]
    return max(range(len(said)), key=lambda i: (said[i].get("visible", 0.0), said[i].get("certainty", 0.0)))


def _by_probability(found: Sequence[Row]) -> Callable[[Row], int]:
    known = {row["task"]: ps for row, ps in _probabilities(found)}
    return lambda row: int(np.argmax(known[row["task"]]))


def _probabilities(found: Sequence[Row]) -> list[tuple[Row, list[float]]]:
    """P(correct) of every sample, by a calibration that was fitted on the other half of the tasks."""
    known = [[Known(s["said"], s["correct"], row["task"]) for s in row["samples"]] for row in found]
    return [(row, [p or 0.0 for p in ps]) for row, ps in zip(found, crosswise(known), strict=True)]


def _points(found: Difference) -> str:
    by = found.by
    return f"{100 * by.value:+.1f} [{100 * by.low:+.1f}, {100 * by.high:+.1f}] points"


def _paired(found: Difference, goal: float, beside: str) -> dict[str, Any]:
    return _figure(100 * found.by.value, goal, "points", f"{beside}; {_points(found)}")


def _figure(value: float, goal: float, unit: str, beside: str, better: str = "higher") -> dict[str, Any]:
    return {"value": round(value, 3), "goal": goal, "unit": unit, "better": better, "against": beside}


ROWS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "selected": selected,
    "calibrated": calibration,
    "votes": votes,
    "exchange": exchange,
    "visible": visible,
    "adaptive": adaptive,
}

if __name__ == "__main__":
    main()

"""Tables: what the runs were, what was solved, what it cost, where the time went, what more samples find, and which
differences are more than noise. The same for a terminal and a page; nothing is escaped here."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from reasoner.estimates import Difference, Estimate, coverage, difference, fit, share, wilson
from reasoner.report.cells import Cell, Number, Table, amount, nothing, number, percent, points
from reasoner.report.exchange import exchanges
from reasoner.report.reading import PHASES, Run
from reasoner.verifiers.reliability import auroc, brier_skill, ece

Chance: TypeAlias = Callable[[], np.random.Generator]


def tables(runs: Sequence[Run], chance: Chance) -> Iterator[Table]:
    """All tables that the runs have numbers for. `chance` makes a random stream, the same at each call."""
    yield _runs(runs)
    yield _solved(runs, chance)
    if len(runs) > 1:
        yield _compared(runs, chance)
    yield _cost(runs)
    if worth := _exchange(runs, chance):
        yield worth
    if sure := [run for run in runs if run.stated()]:
        yield _reliability(sure)
    if sampled := [run for run in runs if run.epochs > 1]:
        yield _coverage(sampled, chance)
    if any(sum(run.phases.values()) for run in runs):
        yield _time(runs)
    if settings := _settings(runs):
        yield settings


def said(run: Run) -> tuple[str, ...]:
    """Core, strategy, what stops a search, its budget, and its sandbox."""
    told = run.settings
    strategy = str(told.get("search.strategy") or "")
    if strategy not in ("", "single") and (attempts := told.get("search.attempts")):
        strategy += f", {attempts} attempts at most"
    stops = {"effort": "effort {}", "confidence": "{} sure", "stop": "{}"}
    bounds = {"tokens": "{} tokens", "wall_s": "{} s", "tool_cpu_s": "{} s of tools", "money": "{} of money"}
    ends, most = (
        ", ".join(form.format(value) for key, form in forms.items() if (value := told.get(f"budget.{key}")))
        for forms in (stops, bounds)
    )
    return run.core, strategy, ends, most, run.level


def accuracy(run: Run, chance: Chance) -> Estimate | None:
    """The mean share of solved tasks: Wilson's interval over one epoch, a bootstrap over tasks where there are more."""
    shares = list(run.shares().values())
    if not shares:
        return None
    if all(len(samples) == 1 for samples in run.by_task().values()):
        return wilson(sum(shares), len(shares))
    return share(shares, chance())


def compared(first: Run, second: Run, chance: Chance) -> Difference | None:
    """Over the tasks that both have graded; None where there is none."""
    before, after = first.shares(), second.shares()
    both = sorted(before.keys() & after.keys())
    return difference([before[t] for t in both], [after[t] for t in both], chance()) if both else None


def powers(most: int) -> list[int]:
    """1, 2, 4, … and `most` itself."""
    ks = [2**i for i in range(most.bit_length()) if 2**i <= most]
    return ks if ks[-1] == most else [*ks, most]


def counts(run: Run) -> list[tuple[int, int]]:
    """(drawn, solved) for each graded task of which the run's coverage is known: with fewer samples none is drawn."""
    least = run.epochs
    return [(len(found), sum(s.solved for s in found)) for found in run.by_task().values() if len(found) >= least]


def per_task(run: Run) -> float:
    """Computed tokens for each last word, failed attempts included."""
    return run.tokens / max(1, len(run.samples))


def _runs(runs: Sequence[Run]) -> Table:
    rows = tuple((run.letter, *(each or "–" for each in said(run))) for run in runs)
    return Table("Runs", ("", "core", "strategy", "stops when", "budget a task", "sandbox"), rows)


def _solved(runs: Sequence[Run], chance: Chance) -> Table:
    rows = []
    for run in runs:
        share = accuracy(run, chance)
        others = ", ".join(f"{n} {o}" for o, n in sorted(run.outcomes.items()) if o not in ("solved", "unsolved"))
        solved = Number(f"{run.solved}/{len(run.graded)}", run.solved) if run.graded else nothing("none graded")
        rows.append((run.letter, run.name, solved, percent(share), others))
    note = "A share with its 95 % interval: Wilson's, or a bootstrap over tasks where each was done several times."
    return Table("Solved", ("", "run", "solved", "share", "besides"), tuple(rows), note)


def _compared(runs: Sequence[Run], chance: Chance) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for run in runs[1:]:
        name, found = f"{run.letter} − {runs[0].letter}", compared(runs[0], run, chance)
        if found is None:
            rows.append((name, number(0), nothing("no task in common"), nothing(""), ""))
            continue
        ratio = per_task(run) / per_task(runs[0]) if per_task(runs[0]) else 0.0
        rows.append((name, number(found.tasks), points(found.by), number(ratio, ".2f", "x"), verdict(found)))
    note = "Paired by task, 95 % interval over tasks. Noise: another draw of tasks could show the opposite."
    if others := ", ".join(run.letter for run in runs[1:] if run.problems != runs[0].problems):
        note += f" {others}: other problem files, so tasks are paired by id alone."
    return Table("Compared", ("", "tasks", "points", "tokens", "says"), tuple(rows), note)


def verdict(found: Difference) -> str:
    return "noise" if found.is_noise else "better" if found.by.value > 0 else "worse"


def _cost(runs: Sequence[Run]) -> Table:
    money = any(run.money for run in runs)
    rows = []
    for run in runs:
        solved = run.solved
        each = number(run.tokens / solved) if solved else nothing()
        row: list[Cell] = [run.letter, number(run.tokens), number(per_task(run)), each]
        row.append(number(run.wall_s / max(1, len(run.samples)), ".1f", " s"))
        if money:
            row.append(number(run.money / solved, ".4f") if solved else nothing())
        rows.append(tuple(row))
    header = ("", "tokens", "a task", "a solved task", "time a task", *(["money a solved task"] if money else []))
    note = "Computed tokens: prompts and discarded attempts count, what a cache held does not."
    return Table("Cost", header, tuple(rows), note)


def _exchange(runs: Sequence[Run], chance: Chance) -> Table | None:
    rows: list[tuple[Cell, ...]] = []
    for each in exchanges(runs, chance()):
        needs = amount(each.needs) if each.needs else nothing("never, with what it spent")
        rate = number(each.rate, ".2f") if each.rate is not None else nothing()
        name = f"{each.first.letter} for {each.second.letter}"
        rows.append((name, number(each.share, ".1%"), number(each.took), needs, rate))
    note = "With how many of its own tokens a task one core solves the share that another did, over the tasks of both."
    header = ("", "solved by the other", "with tokens a task", "takes", "tokens for one")
    return Table("Exchange", header, tuple(rows), note) if rows else None


def _reliability(runs: Sequence[Run]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        pairs = run.stated()
        stated, right = (sum(pair[i] for pair in pairs) / len(pairs) for i in (0, 1))
        rows.append((run.letter, number(len(pairs)), number(stated, ".1%"), number(right, ".1%"),
                     number(ece(pairs), ".3f"), number(brier_skill(pairs), ".2f"),
                     number(auroc(pairs), ".2f")))  # fmt: skip
    note = (
        "Of answers that the search was sure of to some degree when it stopped. ECE: mean distance of stated and right."
    )
    return Table("Reliability", ("", "answers", "stated", "right", "ECE", "Brier skill", "AUROC"), tuple(rows), note)


def _coverage(runs: Sequence[Run], chance: Chance) -> Table:
    most = max(run.epochs for run in runs)
    ks = powers(most)
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        own = [k for k in ks if k <= run.epochs]
        shares = [percent(c, ".0%") for c in coverage(counts(run), own, chance())]
        law = fit(counts(run), list(range(1, run.epochs + 1)), chance())
        fitted = f"exp({law.law.a:.2f} k^{law.law.b:.2f})" if law else "no fit"
        rows.append((run.letter, *shares, *[nothing("")] * (len(ks) - len(own)), fitted))
    note = "The share of tasks that one of k samples solves (unbiased), and the power law of Brown et al., 2407.21787."
    for run in runs:
        if without := len(run.by_task()) - len(counts(run)):
            note += f" {run.letter} without {without} of {len(run.by_task())} tasks, which have fewer samples."
    return Table("Coverage", ("", *(f"k={k}" for k in ks), "law"), tuple(rows), note)


def _time(runs: Sequence[Run]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        whole = sum(run.phases.values()) or 1.0
        seconds = ((run.phases[p], f" s  {run.phases[p] / whole:4.0%}") for p in PHASES)
        rows.append((run.letter, *(number(spent, ",.0f", share) for spent, share in seconds)))
    note = "Seconds of heads; those that grow side by side add up. Waiting: worlds that open, tests before and after."
    return Table("Where the time went", ("", *PHASES), tuple(rows), note)


def _settings(runs: Sequence[Run]) -> Table | None:
    """What the runs were told differently."""
    keys = sorted({key for run in runs for key in run.settings})
    rows = []
    for key in keys:
        values = [str(run.settings.get(key, "–")) for run in runs]
        if len(set(values)) > 1 and key != "problems.path":
            rows.append((key, *values) if key != "problems.sha256" else ("problems", *map(_problems, runs)))
    return Table("Told differently", ("", *(run.letter for run in runs)), tuple(rows)) if rows else None


def _problems(run: Run) -> str:
    """Which they are: two files of one name may differ."""
    return f"{run.settings.get('problems.path', '')} ({run.problems[:8] or '–'})".strip()

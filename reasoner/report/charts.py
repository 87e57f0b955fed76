"""Figures as SVG. Runs are called by their letters, so no text from outside is ever drawn.

Raises `ConfigError` where matplotlib, the extra `report`, is not installed.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from reasoner.errors import ConfigError
from reasoner.estimates import Estimate, coverage, fit
from reasoner.report.reading import PHASES, Run
from reasoner.report.tables import Chance, accuracy, compared, counts, per_task, said
from reasoner.verifiers.reliability import reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0b6bcb", "#c8553d", "#2a8f5c", "#8157c9", "#b8860b", "#4a5568")
_PHASE_COLOURS = {"prefill": "#8fb8e8", "decode": "#0b6bcb", "tools": "#e0a458", "waiting": "#c9ced6"}
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "reasoner",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a919c",
    "axes.labelcolor": "#3b4351",
    "axes.grid": True,
    "grid.color": "#e6e9ee",
    "grid.linewidth": 0.8,
    "xtick.color": "#5b6472",
    "ytick.color": "#5b6472",
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@dataclass(frozen=True)
class Chart:
    title: str
    svg: str
    note: str = ""
    legend: tuple[str, ...] = ()
    """What the letters are. It holds text from outside."""


def charts(runs: Sequence[Run], chance: Chance) -> Iterator[Chart]:
    """All figures that the runs have numbers for."""
    legend = tuple(f"{run.letter}: {'; '.join(filter(None, said(run)))}" for run in runs)
    for chart in _charts(runs, chance):
        yield replace(chart, legend=legend)


def _charts(runs: Sequence[Run], chance: Chance) -> Iterator[Chart]:
    graded = [run for run in runs if run.graded]
    if graded:
        yield Chart(
            "Accuracy against tokens",
            _drawn(lambda at: _accuracy(at, graded, chance)),
            "A point is a run: mean tokens a task, with the 95 % interval of its share. A line is the share that was"
            " solved within so many tokens.",
        )
    if differing := [(run, found) for run in graded[1:] if (found := compared(graded[0], run, chance))]:
        rows = [(f"{run.letter} − {graded[0].letter}", found.by, found.is_noise) for run, found in differing]
        yield Chart(
            "Differences, paired by task",
            _drawn(lambda at: _forest(at, rows), height=0.9 + 0.45 * len(rows)),
            "95 % intervals over tasks. Grey holds 0: noise.",
        )
    if sampled := [run for run in graded if run.epochs > 1]:
        yield Chart(
            "Coverage against samples",
            _drawn(lambda at: _coverage(at, sampled, chance)),
            "The share of tasks that one of k samples solves. Dashed: the exponentiated power law, with its 95 %"
            " interval over tasks, drawn on to four times as many samples.",
        )
    if sure := [run for run in graded if run.stated()]:
        yield Chart(
            "Stated and right",
            _drawn(lambda at: _reliability(at, sure)),
            "Answers whose search was sure of them to some degree, in tenths of what was stated; the larger, the more."
            " On the dashed line what is stated comes true.",
        )
    if timed := [run for run in runs if sum(run.phases.values())]:
        yield Chart(
            "Where the time went", _drawn(lambda at: _time(at, timed), height=1.1 + 0.45 * len(timed)), "Of heads."
        )


def _drawn(draw: Callable[["Axes"], None], height: float = 3.6) -> str:
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("figures need matplotlib: pip install 'reasoner[report]', or leave --html out") from error
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def _colour(run: Run) -> str:
    """A run's own, in every figure."""
    return COLOURS[(ord(run.letter) - ord("A")) % len(COLOURS)]


def _accuracy(at: "Axes", runs: Sequence[Run], chance: Chance) -> None:
    highest = 0.0
    for run in runs:
        share = accuracy(run, chance)
        if share is None:
            continue
        highest = max(highest, share.high)
        spent, within = _within(run)
        at.step(spent, within, where="post", color=_colour(run), linewidth=1.4, alpha=0.55)
        error = [[max(0.0, share.value - share.low)], [max(0.0, share.high - share.value)]]
        x = max(1.0, per_task(run))
        at.errorbar(x, share.value, error, fmt="o", color=_colour(run), capsize=3, label=run.letter, markersize=7)
        _label(at, run.letter, (x, share.value), (8, 6), _colour(run))
    at.set_xscale("log")
    at.xaxis.set_major_formatter(_as_count)
    at.xaxis.set_minor_formatter(_as_count)
    at.set_ylim(0, min(1.02, 1.2 * highest))
    at.yaxis.set_major_formatter(_as_percent)
    at.set_xlabel("computed tokens a task")
    at.set_ylabel("solved")


def _within(run: Run) -> tuple[list[int], list[float]]:
    """Tokens, and the share that was solved within so many; each task counts once, however many epochs it has."""
    tasks = run.by_task()
    solved = sorted(
        (s.tokens, 1 / len(samples) / len(tasks)) for samples in tasks.values() for s in samples if s.solved
    )
    if not solved:
        return [], []
    return [solved[0][0], *(tokens for tokens, _ in solved)], [0.0, *accumulate(weight for _, weight in solved)]


def _forest(at: "Axes", rows: Sequence[tuple[str, Estimate, bool]]) -> None:
    for place, (label, by, noise) in enumerate(reversed(rows)):
        low, value, high = 100 * by.low, 100 * by.value, 100 * by.high
        colour = "#9aa1ac" if noise else COLOURS[2] if value > 0 else COLOURS[1]
        at.plot([low, high], [place, place], color=colour, linewidth=2.4)
        at.plot(value, place, "o", color=colour, markersize=8)
        _label(at, label, (value, place), (0, 9), colour)
    at.axvline(0, color="#3b4351", linewidth=0.9)
    at.set_ylim(-0.6, len(rows) - 0.1)
    at.set_yticks([])
    at.set_xlabel("points of solved tasks")


def _coverage(at: "Axes", runs: Sequence[Run], chance: Chance) -> None:
    for run in runs:
        ks = list(range(1, run.epochs + 1))
        found = coverage(counts(run), ks, chance())
        at.plot(ks, [c.value for c in found], "o-", color=_colour(run), markersize=4, label=run.letter)
        at.fill_between(ks, [c.low for c in found], [c.high for c in found], color=_colour(run), alpha=0.12, lw=0)
        if law := fit(counts(run), ks, chance()):
            on = np.geomspace(1, 4 * run.epochs, 60)
            points = [law.at(k) for k in on]
            at.plot(on, [p.value for p in points], "--", color=_colour(run), linewidth=1.2)
            low, high = [p.low for p in points], [p.high for p in points]
            at.fill_between(on, low, high, color=_colour(run), alpha=0.07, lw=0)
    at.set_xscale("log", base=2)
    at.xaxis.set_major_formatter(_as_count)
    at.set_ylim(0, 1)
    at.yaxis.set_major_formatter(_as_percent)
    at.set_xlabel("samples a task")
    at.set_ylabel("coverage")
    at.legend()


def _reliability(at: "Axes", runs: Sequence[Run]) -> None:
    at.plot([0, 1], [0, 1], "--", color="#8a919c", linewidth=1)
    for run in runs:
        pairs = run.stated()
        bins = reliability(pairs)
        x, y = [one.stated for one in bins], [one.right for one in bins]
        at.plot(x, y, color=_colour(run), linewidth=1.2, alpha=0.6)
        at.scatter(x, y, [20 + 280 * one.count / len(pairs) for one in bins], color=_colour(run), label=run.letter)
    at.set_xlim(0, 1.02)
    at.set_ylim(0, 1.02)
    at.xaxis.set_major_formatter(_as_percent)
    at.yaxis.set_major_formatter(_as_percent)
    at.set_xlabel("stated")
    at.set_ylabel("right")
    at.legend(markerscale=0.5)


def _time(at: "Axes", runs: Sequence[Run]) -> None:
    for place, run in enumerate(reversed(runs)):
        whole, left = sum(run.phases.values()), 0.0
        for phase in PHASES:
            share = run.phases[phase] / whole
            at.barh(place, share, 0.62, left, color=_PHASE_COLOURS[phase], label=phase if not place else None)
            if share > 0.07:
                dark = phase == "decode"
                at.text(left + share / 2, place, f"{share:.0%}", ha="center", va="center",
                        color="white" if dark else "#2b3240")  # fmt: skip
            left += share
    at.set_yticks(range(len(runs)), [run.letter for run in reversed(runs)])
    at.set_xlim(0, 1)
    at.grid(False)
    at.xaxis.set_major_formatter(_as_percent)
    at.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _label(at: "Axes", text: str, point: tuple[float, float], offset: tuple[float, float], colour: str) -> None:
    middle = "left" if offset[0] else "center"
    at.annotate(text, point, offset, textcoords="offset points", ha=middle, color=colour, weight="bold")


def _as_count(value: float, _: object) -> str:
    """Every tick of a decade would crowd the axis: 1, 2, 3 and 5 are written."""
    return f"{value:,.0f}" if f"{value:.0e}"[0] in "1235" or value < 100 else ""


def _as_percent(value: float, _: object) -> str:
    return f"{value:.0%}"

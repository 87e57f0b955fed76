"""The curves of docs/core.md: what a training's loss was, step by step, and what the gate saw of each generation.

    python benchmarks/curves.py WHEEL [-o docs/training.svg]

WHEEL is a directory of `reasoner flywheel`; a generation that is still in training is drawn as far as it came.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from records import ROOT

from reasoner.flywheel import generations
from reasoner.flywheel.courses import WORK
from reasoner.flywheel.generations import Generation, Paths
from reasoner.flywheel.training import CURVE
from reasoner.report.charts import COLOURS, STYLE

SMOOTH = 8
"""Steps over which a loss is averaged: each has other rows."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, metavar="WHEEL")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "training.svg")
    flags = parser.parse_args()
    found = {
        number: [json.loads(line)["loss"] for line in path.read_text().splitlines()]
        for number in range(1, 1 + len([*flags.wheel.glob("[0-9]*")]))
        if (path := curve(flags.wheel, number)).exists()
    }
    if not found:
        raise SystemExit(f"{flags.wheel} holds no training that has saved a step")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        losses, gates = figure.subplots(1, 2, width_ratios=(3, 2))
        draw_losses(losses, found)
        draw_gates(gates, generations.read(flags.wheel))
        figure.savefig(flags.output, metadata={"Date": None})
    print(f"{flags.output}: {', '.join(f'{len(steps)} steps' for steps in found.values())}")


def curve(wheel: Path, number: int) -> Path:
    return Paths(wheel, number).adapter / WORK / CURVE


def coloured(generation: int) -> str:
    return COLOURS[(generation - 1) % len(COLOURS)]


def draw_losses(axes: Axes, found: Mapping[int, Sequence[float]]) -> None:
    for number, steps in found.items():
        colour = coloured(number)
        axes.plot(range(1, len(steps) + 1), steps, color=colour, alpha=0.25, linewidth=0.8)
        wide = min(SMOOTH, len(steps))
        mean = np.convolve(steps, np.ones(wide) / wide, "valid")
        axes.plot(range(wide, len(steps) + 1), mean, color=colour, label=f"generation {number}, mean of {wide} steps")
    axes.set(xlabel="step", ylabel="loss, nats a token", ylim=(0, None))
    axes.legend()


def draw_gates(axes: Axes, found: Sequence[Generation]) -> None:
    """Difference to the parent in points, and its 95 % interval."""
    for place, one in enumerate(found):
        by = one.gate.by
        value, low, high = (100 * share for share in (by.value, by.low, by.high))
        colour = coloured(one.number)
        axes.errorbar(place, value, [[value - low], [high - value]], fmt="o", color=colour, capsize=4)
        said = "promoted" if one.gate.promoted else "refused"
        axes.annotate(f"{value:+.1f}, {said}", (place, value), (8, 0), textcoords="offset points", va="center")
    axes.axhline(0, color="#8a919c", linewidth=0.8)
    axes.set(ylabel="points over the core before", xlim=(-0.5, max(len(found), 1) + 0.2))
    axes.set_xticks(range(len(found)), [f"generation {one.number}" for one in found])
    if not found:
        axes.text(0.5, 0.6, "the gate has decided nothing yet", transform=axes.transAxes, ha="center")


if __name__ == "__main__":
    main()

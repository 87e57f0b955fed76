"""Accuracy against tokens, one line a policy, with intervals over tasks: a drawing that opens from disk.

Needs matplotlib, which the extra `report` brings; nothing else of the package does.
"""

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from reasoner.errors import ConfigError
from reasoner.replay.again import Point

_CENSORED = 0.01
"""Share of censored tasks from which a point is drawn hollow."""


def draw(points: Sequence[Point], path: Path, title: str) -> None:
    """Write an SVG, or a page around one, as the name ends.

    Raises:
        ConfigError: matplotlib is not installed, or the name ends in neither .svg nor .html.
    """
    if path.suffix not in (".svg", ".html"):
        raise ConfigError(f"a figure is written as .svg or .html, and {path.name} is neither")
    svg = _svg(points, title)
    if path.suffix == ".html":
        svg = _PAGE.format(title=escape(title), svg=svg[svg.index("<svg") :])
    path.write_text(svg, encoding="utf-8")


def _svg(points: Sequence[Point], title: str) -> str:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("figures need matplotlib: pip install 'reasoner[report]'") from error
    with matplotlib.rc_context({"svg.hashsalt": "reasoner", "svg.fonttype": "none"}):
        figure = Figure(figsize=(7.5, 4.5), layout="constrained")
        axes = figure.add_subplot()
        for name in dict.fromkeys(point.policy for point in points):
            _line(axes, name, sorted((p for p in points if p.policy == name), key=lambda p: p.tokens.value))
        axes.set(xlabel="tokens a task, discarded samples included", ylabel="tasks answered rightly, %", title=title)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        if any(point.censored >= _CENSORED for point in points):
            figure.text(0.01, 0.01, "hollow: some tasks would have needed samples that were not recorded", fontsize=7)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _line(axes: object, name: str, points: Sequence[Point]) -> None:
    x = [point.tokens.value for point in points]
    y = [100 * point.accuracy.value for point in points]
    sides = [(100 * p.accuracy.low, 100 * p.accuracy.high, p.tokens.low, p.tokens.high) for p in points]
    bars = axes.errorbar(  # type: ignore[attr-defined]
        x,
        y,
        yerr=[[v - s[0] for v, s in zip(y, sides, strict=True)], [s[1] - v for v, s in zip(y, sides, strict=True)]],
        xerr=[[v - s[2] for v, s in zip(x, sides, strict=True)], [s[3] - v for v, s in zip(x, sides, strict=True)]],
        linewidth=1.2,
        elinewidth=0.7,
        capsize=2,
        label=name,
    )
    colour = bars[0].get_color()
    for point, at, height in zip(points, x, y, strict=True):
        face = "white" if point.censored >= _CENSORED else colour
        axes.plot([at], [height], "o", color=colour, markerfacecolor=face, zorder=3)  # type: ignore[attr-defined]


_PAGE = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font-family:sans-serif;margin:2em auto;max-width:60em}}svg{{width:100%;height:auto}}</style>
{svg}
</html>
"""

"""One HTML file with everything in it. What comes from outside is escaped by the template; only our own SVG is not."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import jinja2

from reasoner.report.cells import Table
from reasoner.report.charts import Chart
from reasoner.report.reading import Run

_TEMPLATE = Path(__file__).with_name("page.html.jinja")


def page(runs: Sequence[Run], tables: Iterable[Table], charts: Iterable[Chart]) -> str:
    """The page. It loads nothing, runs nothing, and its policy forbids both."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    tasks = len({sample.task for run in runs for sample in run.samples})
    said = f"{len(runs)} run{'s' if len(runs) != 1 else ''}, {tasks:,} tasks."
    return template.render(title="What the runs came to", said=said, tables=list(tables), charts=list(charts))

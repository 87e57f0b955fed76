"""What runs came to: read from their directories, estimated, and shown as tables and on one page with figures.

reading  directories -> runs, in numbers
tables   runs -> tables, the same for a terminal and a page
cells    what they are made of: texts, and the numbers that they show
exchange what one core's tokens are worth in another's
samples  a run's solutions as evalplus reads them
charts   runs -> figures as SVG; needs matplotlib (the extra `report`)
aside    files that take their place only when they are whole
page     tables and figures -> one HTML file that asks nobody for anything
view/    the search of one task -> a page with its tree
"""

from reasoner.report.aside import aside
from reasoner.report.cells import Table
from reasoner.report.page import page
from reasoner.report.reading import Run, read_runs
from reasoner.report.samples import write_samples
from reasoner.report.tables import tables

__all__ = ["Run", "Table", "aside", "page", "read_runs", "tables", "write_samples"]

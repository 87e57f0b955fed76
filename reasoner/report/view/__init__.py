"""The search of one task as a page: its tree, the way to the answer, what each node cost and what its tests said.

overview  a trace -> what is seen at once: a row a node, and tokens over time
detail    a node -> what is seen when it is chosen: steps, tests, verdicts, tokens
spelling  token ids -> the texts that they stand for
page      all of it -> one HTML file that loads nothing and in which nothing from outside is ever markup
"""

from reasoner.report.view.page import page
from reasoner.report.view.spelling import Spelling, spelling_of

__all__ = ["Spelling", "page", "spelling_of"]

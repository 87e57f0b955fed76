"""The search tree.

node      what it is made of: finished nodes, growing heads
sums      what is kept of each node, so that no question costs a walk
polls     votes as they come in
tree      append-only; what strategies and stopping policies ask
per_tree  what somebody else remembers of a tree
"""

from reasoner.tree.node import Head, Node
from reasoner.tree.per_tree import PerTree
from reasoner.tree.polls import VOTERS, Ballot, Poll
from reasoner.tree.sums import LIKELIHOOD, Sums
from reasoner.tree.tree import Tree, derive_seed

__all__ = ["LIKELIHOOD", "VOTERS", "Ballot", "Head", "Node", "PerTree", "Poll", "Sums", "Tree", "derive_seed"]

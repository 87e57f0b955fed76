"""Everything that speaks for a node, as numbers by source: its verdicts, its share of each vote, and how well it agrees
with the core's own tests. Pure: a function of the tree, so it can be read off a recorded one."""

from reasoner.tree import Tree
from reasoner.types import NodeId
from reasoner.verifiers.self_tests import SOURCE as SELF_TESTS
from reasoner.verifiers.self_tests import agreement

SHARE = "share of "
AGREEMENT = "agreement"


def evidence(tree: Tree, node: NodeId) -> dict[str, float]:
    """By source, what is known of a node now. A vote's share counts one vote more for the node and one against it, so
    one of one is less than nine of nine."""
    known: dict[str, float] = {}
    for verdict in tree[node].verdicts:
        known[verdict.source] = verdict.score
        if verdict.key:
            poll = tree.poll(verdict.source)
            known[SHARE + verdict.source] = (poll.ballots[verdict.key].count + 1) / (poll.total + 2)
        if verdict.source == SELF_TESTS:
            known[AGREEMENT] = agreement(tree, node)
    return known

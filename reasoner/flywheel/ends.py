"""Which nodes of a search are known to be right, which wrong, and what the places above them are worth. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from reasoner.tree import Node, Tree
from reasoner.types import NodeId, Result
from reasoner.verifiers import answers, suite


@dataclass(frozen=True)
class Worth:
    """How often the ends at or below a node were right, of how many."""

    right: int
    of: int

    @property
    def value(self) -> float:
        return self.right / self.of


def known(tree: Tree, result: Result | None, reference: str | None = None) -> dict[NodeId, bool]:
    """Nodes that hold a solution, and whether it is right, as far as anything says so.

    Code is right when all visible tests pass, unless the hidden ones that graded it say otherwise. An answer is held
    against the `reference`; without one, what graded the search's own answer is true of all that say the same.
    """
    hidden = result.hidden if result else None
    found: dict[NodeId, bool] = {}
    for node in tree.nodes:
        if (score := node.score(suite.SOURCE)) is not None:
            found[node.id] = score == 1.0
        elif node.step("answer") and reference is not None:
            report = answers.compared(answers.answer_of(node), reference)
            found[node.id] = report is not None and report.solved
    if result and hidden and result.node is not None:
        found |= _said_of_the_answer(tree, result.node, hidden.solved)
    return found


def _said_of_the_answer(tree: Tree, answer: NodeId, right: bool) -> dict[NodeId, bool]:
    """What the last word on a search's answer says of it, and of other nodes."""
    key = _key(tree[answer])
    if not key:
        return {answer: right}
    keys = {node.id: _key(node) for node in tree.nodes}
    if right:
        return {node: one == key for node, one in keys.items() if one}
    return {node: False for node, one in keys.items() if one == key}


def _key(node: Node) -> str:
    return next((v.key for v in node.verdicts if v.source == answers.SOURCE), "")


def worth(tree: Tree, ends: Mapping[NodeId, bool]) -> dict[NodeId, Worth]:
    """By node: a place is worth what came of it (Wang et al., 2312.08935, section 3.3, soft estimation). Places that
    nothing is known of are left out."""
    right, of = dict[NodeId, int](), dict[NodeId, int]()
    for end, is_right in ends.items():
        for node in tree.path(end):
            right[node.id] = right.get(node.id, 0) + is_right
            of[node.id] = of.get(node.id, 0) + 1
    return {node: Worth(right[node], count) for node, count in of.items()}

"""Trees whose votes are known."""

from collections.abc import Callable

import pytest

from reasoner.completions import Sampling
from reasoner.ledger import Cost
from reasoner.tree import Tree
from reasoner.types import Expand, Step, Verdict

Voted = Callable[[str], Tree]


@pytest.fixture
def voted() -> Voted:
    """A tree with one node for each letter of a word: its vote. A dot is a node without a vote."""

    def tree(word: str) -> Tree:
        tree = Tree("t")
        tree.plant([Step("task", "")], "s0")
        for letter in word:
            head = tree.opened(Expand(0, "attempt", Sampling()))
            key = "" if letter == "." else letter
            tree.add(head, [], "s1", [Verdict(1.0 if key else 0.0, "answer", key=key)], Cost())
        return tree

    return tree

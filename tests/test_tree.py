import pytest

from reasoner.ledger import Cost
from reasoner.tree import Tree, derive_seed
from reasoner.types import Expand, Sampling, Span, Step, Verdict


def step(*ids: int) -> Step:
    return Step("act", "", (Span(ids, sampled=True),))


@pytest.fixture
def tree() -> Tree:
    tree = Tree("t", seed=7)
    tree.plant([step(1, 2)], "w0")
    return tree


def grow(tree: Tree, at: int, ids: tuple[int, ...], score: float) -> int:
    head = tree.opened(Expand(at, "attempt", Sampling()))
    return tree.add(head, [step(*ids)], f"w{len(tree)}", [Verdict(score, "visible")], Cost(decoded=len(ids)))


def test_tokens_of_a_node_are_those_of_its_path(tree: Tree) -> None:
    a = grow(tree, tree.root, (3,), 0.1)
    b = grow(tree, a, (4, 5), 0.2)
    c = grow(tree, tree.root, (6,), 0.3)
    assert tree.ids(b) == [1, 2, 3, 4, 5]
    assert tree.ids(c) == [1, 2, 6]
    assert [n.id for n in tree.path(b)] == [0, a, b]
    assert tree.children(tree.root) == [a, c]


def test_the_best_is_the_earliest_of_equals(tree: Tree) -> None:
    grow(tree, 0, (3,), 0.2)
    first = grow(tree, 0, (4,), 0.9)
    grow(tree, 0, (5,), 0.9)
    assert tree.best("visible") == first
    assert tree.best("other") is None


def test_a_score_of_zero_is_a_score(tree: Tree) -> None:
    only = grow(tree, 0, (3,), 0.0)
    assert tree.best("visible") == only


def test_seeds_depend_on_where_a_head_hangs_not_on_when_it_came(tree: Tree) -> None:
    a = grow(tree, 0, (3,), 0.0)
    late = tree.opened(Expand(0, "attempt", Sampling()))
    other = Tree("t", seed=7)
    other.plant([step(1, 2)], "w0")
    other.opened(Expand(0, "attempt", Sampling()))
    assert other.opened(Expand(0, "attempt", Sampling())).seed == late.seed
    assert tree.opened(Expand(a, "attempt", Sampling())).seed != late.seed
    assert derive_seed(7, "t", 0, 0) != derive_seed(8, "t", 0, 0) != derive_seed(7, "u", 0, 0)


def test_a_dropped_head_leaves_no_node_and_its_ordinal_is_not_reused(tree: Tree) -> None:
    head = tree.opened(Expand(0, "attempt", Sampling()))
    assert tree.in_flight == [head]
    tree.drop(head)
    assert not tree.in_flight and len(tree) == 1
    assert tree.opened(Expand(0, "attempt", Sampling())).ordinal == 1


def test_a_tree_has_one_root(tree: Tree) -> None:
    with pytest.raises(AssertionError):
        tree.plant([], "w")

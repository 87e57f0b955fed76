import gc

from reasoner.tree import PerTree, Tree


def test_trees_that_are_equal_are_two_and_are_forgotten_when_they_go() -> None:
    kept: PerTree[list[int]] = PerTree(list)
    first, second = Tree("t"), Tree("t")
    kept[first].append(1)
    assert (kept[first], kept[second], len(kept)) == ([1], [], 2)
    del first, second
    gc.collect()
    assert len(kept) == 0

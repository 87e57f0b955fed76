"""How the rest of the attempts is split, by what the first ones said."""

from collections import Counter

import pytest

from reasoner.ledger import Cost, Ledger
from reasoner.search import Adaptive
from reasoner.tree import Tree
from reasoner.types import Span, Step, Verdict

LEDGER = Ledger(clock=lambda: 0.0)


@pytest.fixture
def tree() -> Tree:
    tree = Tree("t")
    tree.plant([Step("task", "")], "w")
    return tree


def land(tree: Tree, score: float | None = None, key: str = "") -> None:
    spans = (Span((9,), sampled=False), Span((1, 2, 3, 4, 5, 6), sampled=True, logprobs=(-1.0,) * 6))
    verdicts = [Verdict(score, "visible")] if score is not None else [Verdict(1.0, "answer", key=key)]
    step = Step("answer" if score is None else "act", "x", spans)
    tree.add(tree.in_flight[0], [step], "w", verdicts, Cost())


def probed(tree: Tree, search: Adaptive, scores: tuple[float, ...] = (), keys: tuple[str, ...] = ()) -> None:
    """Open and land the probes, the first of them alone."""
    for score, key in zip(scores or [None] * len(keys), keys or [""] * len(scores), strict=True):
        if not tree.in_flight:
            for expand in search.select(tree, LEDGER, 8):
                tree.opened(expand)
        land(tree, score, key)


def kinds(tree: Tree, search: Adaptive, free: int = 200) -> Counter[str]:
    chosen = search.select(tree, LEDGER, free)
    return Counter("rewind" if e.kept else "revise" if e.move == "revise" else "fresh" for e in chosen)


def test_nothing_but_the_probes_is_opened_before_they_have_landed(tree: Tree) -> None:
    search = Adaptive(16, probes=4)
    (first,) = search.select(tree, LEDGER, 8)
    assert first.sampling.temperature == 0.0
    tree.opened(first)
    land(tree, 0.0)
    rest = search.select(tree, LEDGER, 8)
    assert len(rest) == 3 and {e.kept for e in rest} == {None}
    for expand in rest:
        tree.opened(expand)
    assert search.select(tree, LEDGER, 8) == []


@pytest.mark.parametrize("terse", [True, False])
def test_attempts_are_terse_from_the_first_on_and_some_write_as_they_like(tree: Tree, terse: bool) -> None:
    search, seen = Adaptive(16, terse=terse), list[bool]()
    for _ in range(12):
        (expand,) = search.select(tree, LEDGER, 1)
        seen += [expand.terse] if expand.move == "attempt" else []
        tree.opened(expand)
        land(tree, 0.0)
    assert seen[:3] == [terse] * 3 and False in seen


def test_the_nearer_the_samples_the_fewer_fresh_ones(tree: Tree) -> None:
    search, shares = Adaptive(1000), []
    for score in (0.1, 0.5, 0.8):
        other = Tree("t")
        other.plant([Step("task", "")], "w")
        probed(other, search, (score,) * 4)
        shares.append(kinds(other, search))
    assert [s.total() for s in shares] == [200] * 3
    assert shares[0]["fresh"] > shares[1]["fresh"] > shares[2]["fresh"] > 10
    assert shares[0]["revise"] == 0 < shares[1]["revise"] < shares[2]["revise"]
    assert shares[2]["rewind"] > shares[0]["rewind"] > 0


def test_where_nothing_passes_all_that_is_left_is_fresh(tree: Tree) -> None:
    search = Adaptive(1000)
    probed(tree, search, (0.0,) * 4)
    assert set(kinds(tree, search)) == {"fresh"}


def test_answers_of_one_mind_end_the_search_and_others_do_not(tree: Tree) -> None:
    search = Adaptive(16)
    probed(tree, search, keys=("7", "7", "7", "7"))
    assert search.select(tree, LEDGER, 8) == [] and search.answer(tree) == 1
    other = Tree("t")
    other.plant([Step("task", "")], "w")
    probed(other, search, keys=("7", "8", "9", "6"))
    assert kinds(other, search, 8).total() == 8


def test_answers_that_say_nothing_are_not_of_one_mind(tree: Tree) -> None:
    search = Adaptive(16)
    probed(tree, search, keys=("", "", "", ""))
    assert set(kinds(tree, search, 8)) == {"fresh"}


def test_attempts_and_revisions_together_are_never_more_than_n(tree: Tree) -> None:
    search = Adaptive(20)
    probed(tree, search, (0.8,) * 4)
    while chosen := search.select(tree, LEDGER, 3):
        for expand in chosen:
            tree.opened(expand)
        land(tree, 0.5)
    assert tree.opened_as("attempt", "revise") == 20


def test_equal_trees_give_equal_choices_and_a_solved_one_fresh_ones_alone(tree: Tree) -> None:
    search = Adaptive(100)
    probed(tree, search, (0.8,) * 4)
    assert search.select(tree, LEDGER, 8) == search.select(tree, LEDGER, 8)
    assert search.select(tree, LEDGER, 0) == []
    tree.opened(search.select(tree, LEDGER, 1)[0])
    land(tree, 1.0)
    assert kinds(tree, search, 8) == {"fresh": 8}


def test_one_answer_among_probes_without_any_ends_nothing(tree: Tree) -> None:
    search = Adaptive(16, probes=4)
    probed(tree, search, keys=("", "48", "", ""))
    assert kinds(tree, search, 8).total() == 8

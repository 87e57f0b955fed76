"""Beams on hand-built trees: what each level keeps, by each rule."""

from collections import Counter

import pytest

from reasoner.completions import Sampling
from reasoner.config import SearchConfig
from reasoner.ledger import Cost, Ledger
from reasoner.search import Beam, Steps, make
from reasoner.tree import LIKELIHOOD, Tree
from reasoner.types import Span, Step, StepKind, Verdict

LEDGER = Ledger(clock=lambda: 0.0)
STEPS = Steps("value", Sampling(temperature=1.0), depth=5, ends=("\n\n",))


@pytest.fixture
def tree() -> Tree:
    tree = Tree("t")
    tree.plant([Step("task", "")], "w")
    return tree


def open_all(tree: Tree, beam: Beam, free: int = 99) -> Counter[int]:
    chosen = beam.select(tree, LEDGER, free)
    for expand in chosen:
        tree.opened(expand)
    return Counter(expand.node for expand in chosen)


def land(tree: Tree, *values: float | None, kind: StepKind = "think", same: bool = False) -> list[int]:
    """Finish the heads that were opened first."""
    landed = []
    for value, head in zip(values, tree.in_flight, strict=False):
        span = Span((7 if same else len(tree),), sampled=True, logprobs=(-0.1 * len(tree),))
        verdicts = [] if value is None else [Verdict(value, "value")]
        landed.append(tree.add(head, [Step(kind, "", (span,))], "w", verdicts, Cost()))
    return landed


def test_a_level_is_whole_before_the_next_is_chosen(tree: Tree) -> None:
    beam = Beam(STEPS, 4, 2)
    assert open_all(tree, beam, 3) == {0: 3}
    land(tree, 0.9)
    assert open_all(tree, beam, 1) == {0: 1}
    land(tree, 0.1, 0.2)
    assert open_all(tree, beam) == {}, "the last of the level is in flight"
    land(tree, 0.3)
    assert open_all(tree, beam) == {1: 2, 4: 2}


def test_the_best_go_on_each_with_as_many_steps(tree: Tree) -> None:
    beam = Beam(STEPS, 6, 3)
    open_all(tree, beam)
    land(tree, 0.1, 0.9, 0.2, 0.8, 0.3, 0.3)
    assert open_all(tree, beam) == {2: 3, 4: 3}


def test_answered_beams_leave_with_their_share(tree: Tree) -> None:
    beam = Beam(STEPS, 6, 3)
    open_all(tree, beam)
    land(tree, 0.1, 0.9)
    land(tree, 0.5, 0.5, kind="answer")
    land(tree, 0.2, 0.8)
    assert open_all(tree, beam) == {2: 2, 6: 2}
    land(tree, *[0.5] * 4, kind="answer")
    assert open_all(tree, beam) == {}


def test_subtrees_never_meet(tree: Tree) -> None:
    beam = Beam(STEPS, 4, 2, "dvts")
    open_all(tree, beam)
    land(tree, 0.9, 0.8, 0.2, 0.1)
    assert open_all(tree, beam) == {1: 2, 3: 2}
    land(tree, 0.7, 0.6, 0.1, 0.2)
    assert open_all(tree, beam) == {5: 2, 8: 2}


def test_a_subtree_whose_best_is_an_answer_is_at_its_end(tree: Tree) -> None:
    beam = Beam(STEPS, 4, 2, "dvts")
    open_all(tree, beam)
    land(tree, 0.9, kind="answer")
    land(tree, 0.8, 0.2, 0.1)
    assert open_all(tree, beam) == {3: 2}


def test_rebase_shares_by_the_softmax_of_the_scores(tree: Tree) -> None:
    beam = Beam(STEPS, 8, rule="rebase", balance=0.2)
    open_all(tree, beam)
    land(tree, 0.9, 0.9, 0.7, 0.7, 0.1, 0.1, 0.1, 0.1)
    assert open_all(tree, beam) == {1: 3, 2: 3, 3: 1, 4: 1}, "e to 1 of them, as 2.7 to 1"


def test_steps_that_are_all_alike_go_on_as_one(tree: Tree) -> None:
    beam = Beam(STEPS, 4, 2)
    open_all(tree, beam)
    land(tree, *[0.5] * 4, same=True)
    assert open_all(tree, beam) == {1: 4}


def test_where_the_verifier_is_absent_the_core_s_own_likelihood_decides(tree: Tree) -> None:
    beam = Beam(STEPS, 4, 2)
    open_all(tree, beam)
    land(tree, *[None] * 4)
    assert tree.top(LIKELIHOOD, 2) == [1, 2]
    assert open_all(tree, beam) == {1: 2, 2: 2}


def test_a_node_that_is_not_judged_counts_as_the_worst_of_those_that_are(tree: Tree) -> None:
    beam = Beam(STEPS, 4, 4)
    open_all(tree, beam)
    land(tree, None, 0.2, 0.3, None)
    assert open_all(tree, beam) == {3: 4}


def test_the_last_step_of_a_path_is_all_that_is_missing_of_the_attempt(tree: Tree) -> None:
    beam = Beam(STEPS, 1, 1)
    moves = []
    for _ in range(5):
        (expand,) = beam.select(tree, LEDGER, 4)
        moves.append((expand.move, expand.sampling.stop))
        tree.opened(expand)
        land(tree, 0.5)
    assert moves == [("continue", ("\n\n",))] * 4 + [("attempt", ())]
    assert beam.select(tree, LEDGER, 4) == [], "a path that still has no answer ends there"


def test_nothing_is_free_or_the_task_is_solved(tree: Tree) -> None:
    beam = Beam(STEPS, 4, 2)
    assert beam.select(tree, LEDGER, 0) == []
    tree.add(tree.opened(beam.select(tree, LEDGER, 1)[0]), [], "w", [Verdict(1.0, "visible")], Cost())
    assert beam.select(tree, LEDGER, 4) == []


def test_it_goes_on_where_heads_were_dropped(tree: Tree) -> None:
    beam = Beam(STEPS, 4, 2)
    open_all(tree, beam)
    land(tree, 0.5)
    for head in tree.in_flight:
        tree.drop(head)
    assert open_all(tree, beam) == {0: 3}


def test_being_asked_twice_changes_nothing(tree: Tree) -> None:
    beam = Beam(STEPS, 4, 2)
    open_all(tree, beam)
    land(tree, 0.1, 0.2, 0.3, 0.4)
    assert beam.select(tree, LEDGER, 4) == beam.select(tree, LEDGER, 4) == Beam(STEPS, 4, 2).select(tree, LEDGER, 4)


@pytest.mark.parametrize(("n", "m"), [(6, 4), (2, 4), (7, 3), (8, 4)])
def test_subtrees_have_no_more_beams_than_there_are_whatever_the_width(tree: Tree, n: int, m: int) -> None:
    beam = Beam(STEPS, n, m, "dvts")
    for _ in range(4):
        assert open_all(tree, beam).total() == n
        land(tree, *[0.5] * n)


@pytest.mark.parametrize("name", ["beam", "dvts", "rebase"])
@pytest.mark.parametrize(("attempts", "depth"), [(1, 1), (2, 2), (6, 3), (16, 4)])
def test_attempts_at_code_and_their_revisions_are_as_many_as_was_said(
    tree: Tree, name: str, attempts: int, depth: int
) -> None:
    beam = make(SearchConfig(strategy=name, attempts=attempts), "coding")
    while True:
        for expand in beam.select(tree, LEDGER, 3 - len(tree.in_flight)):
            tree.opened(expand)
        if not tree.in_flight:
            break
        head = tree.in_flight[0]
        step = Step("act", "x", (Span((len(tree),), sampled=True, logprobs=(-0.5,)),))
        tree.add(head, [step], "w", [Verdict(0.3 + len(tree) / 100, "visible")], Cost())
    assert (tree.candidates, tree.depth) == (attempts, depth), "a level is the share that is kept"

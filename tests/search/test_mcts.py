"""Tree search on hand-built trees: where a walk ends."""

import pytest

from reasoner.completions import Sampling
from reasoner.ledger import Cost, Ledger
from reasoner.search import Mcts, Steps
from reasoner.tree import Tree
from reasoner.types import Expand, Span, Step, StepKind, Verdict

LEDGER = Ledger(clock=lambda: 0.0)
STEPS = Steps("value", Sampling(temperature=1.0), depth=4)


@pytest.fixture
def tree() -> Tree:
    tree = Tree("t")
    tree.plant([Step("task", "")], "w")
    return tree


def grow(tree: Tree, at: int, value: float | None, logprob: float = -1.0, kind: StepKind = "think") -> int:
    span = Span((len(tree),), sampled=True, logprobs=(logprob,))
    verdicts = [] if value is None else [Verdict(value, "value")]
    return tree.add(tree.opened(Expand(at, "continue", Sampling())), [Step(kind, "", (span,))], "w", verdicts, Cost())


def chosen(tree: Tree, search: Mcts, free: int = 1) -> list[int]:
    return [expand.node for expand in search.select(tree, LEDGER, free)]


def test_it_begins_at_the_task_and_waits_for_its_first_steps(tree: Tree) -> None:
    assert set(chosen(tree, Mcts(STEPS), 8)) == {0}
    assert 1 < len(chosen(tree, Mcts(STEPS), 8)) < 8, "more children than visits allow would be wasted"


def test_it_walks_to_the_child_of_most_value(tree: Tree) -> None:
    low, high = grow(tree, 0, 0.1), grow(tree, 0, 0.9)
    grow(tree, 0, 0.2)
    assert chosen(tree, Mcts(STEPS, c_puct=0.1, widening=1.0)) == [high] != [low]


def test_among_equal_values_it_walks_to_the_likelier_step(tree: Tree) -> None:
    grow(tree, 0, 0.5, logprob=-3.0)
    likely = grow(tree, 0, 0.5, logprob=-0.1)
    grow(tree, 0, 0.5, logprob=-3.0)
    assert chosen(tree, Mcts(STEPS, widening=1.0)) == [likely]


def test_a_head_in_flight_sends_the_next_one_elsewhere(tree: Tree) -> None:
    for _ in range(3):
        grow(tree, 0, 0.5)
    assert len(set(chosen(tree, Mcts(STEPS, widening=1.0), 3))) == 3
    tree.opened(Mcts(STEPS, widening=1.0).select(tree, LEDGER, 1)[0])
    assert chosen(tree, Mcts(STEPS, widening=1.0)) == [2]


def test_more_visits_allow_more_children(tree: Tree) -> None:
    search, found = Mcts(STEPS), 0
    for _ in range(60):
        (at,) = chosen(tree, search)
        grow(tree, at, 0.5, kind="answer" if tree.sums(at).depth == 3 else "think")
        found = max(found, len(tree.children(0)))
    assert 60**0.5 < found < 60 / 2


def test_an_answer_is_walked_to_no_more(tree: Tree) -> None:
    grow(tree, 0, 0.9, kind="answer")
    other = grow(tree, 0, 0.1)
    grow(tree, 0, 0.9, kind="answer")
    assert chosen(tree, Mcts(STEPS, widening=1.0)) == [other]


def test_where_all_steps_are_answers_or_alike_it_takes_another_from_their_parent(tree: Tree) -> None:
    for _ in range(9):
        grow(tree, 0, 0.9, kind="answer")
    assert chosen(tree, Mcts(STEPS)) == [0]


def test_a_node_that_nobody_judged_has_its_parent_s_value(tree: Tree) -> None:
    grow(tree, 0, 0.1)
    unknown = grow(tree, 0, None)
    grow(tree, 0, 0.3)
    assert chosen(tree, Mcts(STEPS, c_puct=0.0, widening=1.0)) == [3] != [unknown]


def test_without_the_verifier_the_core_s_own_likelihood_is_the_value(tree: Tree) -> None:
    grow(tree, 0, None, logprob=-2.0)
    sure = grow(tree, 0, None, logprob=-0.1)
    grow(tree, 0, None, logprob=-2.0)
    assert chosen(tree, Mcts(STEPS, widening=1.0)) == [sure]


def test_it_ends_with_n_candidates_and_nothing_is_opened_beyond(tree: Tree) -> None:
    search = Mcts(STEPS, 2)
    grow(tree, 0, 0.5, kind="answer")
    assert len(chosen(tree, search, 8)) == 1
    grow(tree, 0, 0.5, kind="answer")
    assert chosen(tree, search, 8) == []


def test_it_ends_also_where_no_step_ever_comes_to_an_answer(tree: Tree) -> None:
    search, opened = Mcts(STEPS, 3), 0
    while nodes := chosen(tree, search):
        grow(tree, nodes[0], 0.5)
        opened += 1
    assert opened <= 3 * STEPS.depth

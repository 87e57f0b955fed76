"""Search on hand-built trees: no core, no sandbox."""

from reasoner.ledger import Ledger
from reasoner.protocols import Strategy
from reasoner.search.plain import BestOfN, Revise, Single
from reasoner.tree import Tree
from reasoner.types import Span, Step, Verdict

LEDGER = Ledger(clock=lambda: 0.0)
WROTE = Step("act", "", (Span((1,), sampled=True),))


def planted() -> Tree:
    tree = Tree("t")
    tree.plant([Step("task", "")], "s0")
    return tree


def advance(tree: Tree, strategy: Strategy, *scores: float, free: int = 8) -> list[int]:
    """Open what the strategy selects and finish it with `scores`; the rest stays in flight."""
    heads = [tree.opened(expand) for expand in strategy.select(tree, LEDGER, free)]
    return [
        tree.add(head, [WROTE], f"s{head.id}", [Verdict(score, "visible")], LEDGER.spent)
        for head, score in zip(heads, scores, strict=False)
    ]


def test_single_asks_once() -> None:
    tree, strategy = planted(), Single()
    assert advance(tree, strategy, 0.5) == [1]
    assert strategy.select(tree, LEDGER, 8) == []
    assert strategy.answer(tree) == 1


def test_best_of_n_fills_what_is_free_and_never_asks_for_more_than_n() -> None:
    tree, strategy = planted(), BestOfN(n=5)
    assert len(strategy.select(tree, LEDGER, 3)) == 3
    advance(tree, strategy, 0.1, 0.7, 0.3, free=3)
    advance(tree, strategy, 0.7, free=3)
    assert len(tree.in_flight) == 1
    assert strategy.select(tree, LEDGER, 8) == []
    assert strategy.answer(tree) == 2


def test_best_of_n_attempts_hang_from_the_task_alone() -> None:
    assert {e.node for e in BestOfN(n=4).select(planted(), LEDGER, 8)} == {0}


def test_revise_goes_on_from_the_last_attempt_one_at_a_time() -> None:
    tree, strategy = planted(), Revise(n=3)
    advance(tree, strategy, 0.6)
    (second,) = strategy.select(tree, LEDGER, 8)
    assert (second.node, second.move) == (1, "revise")
    advance(tree, strategy)
    assert strategy.select(tree, LEDGER, 8) == []


def test_revise_answers_with_the_best_and_not_with_the_last() -> None:
    tree, strategy = planted(), Revise(n=3)
    for score in (0.6, 0.2, 0.1):
        advance(tree, strategy, score)
    assert strategy.answer(tree) == 1 and strategy.select(tree, LEDGER, 8) == []


def test_without_verdicts_the_last_attempt_answers() -> None:
    tree = planted()
    head = tree.opened(BestOfN().select(tree, LEDGER, 1)[0])
    tree.add(head, [WROTE], "s1", [], LEDGER.spent)
    assert BestOfN().answer(tree) == 1
    assert BestOfN().answer(planted()) is None

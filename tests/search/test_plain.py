"""Search on hand-built trees: no core, no sandbox."""

import pytest

from reasoner.completions import Sampling
from reasoner.config import SearchConfig
from reasoner.ledger import Ledger
from reasoner.protocols import Strategy
from reasoner.search import make
from reasoner.search.plain import BestOfN, Revise, Single, leader
from reasoner.tree import Tree
from reasoner.types import Expand, Span, Step, StepKind, Verdict

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


def wrote(tree: Tree, logprob: float, *verdicts: Verdict, also: StepKind | None = None) -> int:
    """An attempt without tests, of one token."""
    steps = [Step("act", "x", (Span((1,), sampled=True, logprobs=(logprob,)),))]
    steps += [Step(also, "x")] if also else []
    return tree.add(tree.opened(Expand(0, "attempt", Sampling())), steps, "w", verdicts, LEDGER.spent)


@pytest.mark.parametrize("name", ["rewind", "vote", "best_of_n", "adaptive", "revise"])
def test_code_without_tests_is_answered_as_the_guide_thinks_best(name: str) -> None:
    tree = planted()
    for score in (0.3, 0.99, 0.5, 0.3):
        wrote(tree, -0.1 * len(tree), Verdict(score, "judge"))
    assert make(SearchConfig(strategy=name, guide="judge")).answer(tree) == 2
    assert make(SearchConfig(strategy=name)).answer(tree) == 1, "without a guide the likeliest answers"
    assert make(SearchConfig(strategy=name, guide="absent")).answer(tree) == 1, "and with one that is silent"


def test_code_that_cannot_be_used_answers_only_where_there_is_no_other() -> None:
    tree = planted()
    broken = wrote(tree, -0.1, Verdict(0.9, "judge"), also="malformed")
    assert leader(tree, "judge") == broken
    whole = wrote(tree, -2.0, Verdict(0.1, "judge"))
    assert leader(tree, "judge") == leader(tree) == whole


def test_an_answer_goes_before_the_code_that_was_run_for_it() -> None:
    tree = planted()
    wrote(tree, -0.1)
    answered = wrote(tree, -2.0, also="answer")
    assert leader(tree) == answered


def test_what_is_half_way_to_an_answer_goes_behind_one_also_where_nothing_scored() -> None:
    tree = planted()
    steps = [[Step("answer", "48")], [Step("act", "6 * 8"), Step("observe", "48")]]
    answered, _ = (tree.add(tree.opened(Expand(0, "attempt", Sampling())), s, "w", [], LEDGER.spent) for s in steps)
    assert leader(tree) == answered


def test_visible_tests_go_before_every_guide() -> None:
    tree = planted()
    tested = wrote(tree, -2.0, Verdict(0.1, "judge"), Verdict(0.5, "visible"))
    wrote(tree, -0.1, Verdict(0.9, "judge"), Verdict(0.2, "visible"))
    assert leader(tree, "judge") == tested

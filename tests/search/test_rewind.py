from dataclasses import replace

import pytest

from reasoner.completions import Sampling
from reasoner.config import SearchConfig
from reasoner.errors import ConfigError
from reasoner.ledger import Cost, Ledger
from reasoner.search import Rewind, make, names
from reasoner.tree import Tree
from reasoner.types import Kept, Span, Step, ToolResult, Verdict

LEDGER = Ledger(clock=lambda: 0.0)
TRIED = (Step("act", "x"), Step("observe", "0 of 2 passed", result=ToolResult(value={})))


def planted() -> Tree:
    tree = Tree("t")
    tree.plant([Step("task", "")], "s0")
    return tree


def finish(tree: Tree, score: float = 0.0) -> int:
    """Finish the head that was opened first."""
    head = tree.in_flight[0]
    steps = (Step("reflect", "Mind zero."),) if head.expand.move == "reflect" else TRIED
    return tree.add(head, steps, "s", [Verdict(score, "visible")] if steps == TRIED else [], Cost())


def open_all(tree: Tree, strategy: Rewind, free: int = 8) -> list[str]:
    chosen = strategy.select(tree, LEDGER, free)
    for expand in chosen:
        tree.opened(expand)
    return [e.move for e in chosen]


def test_the_first_attempt_is_greedy_and_alone() -> None:
    tree, strategy = planted(), Rewind()
    (first,) = strategy.select(tree, LEDGER, 8)
    assert first.sampling.temperature == 0.0
    tree.opened(first)
    assert strategy.select(tree, LEDGER, 7) == []


def test_with_lessons_it_reflects_once_after_a_failure_and_tries_again_from_the_task() -> None:
    tree, strategy = planted(), Rewind(n=16, lessons=True)
    open_all(tree, strategy)
    finish(tree)
    assert open_all(tree, strategy, 4) == ["reflect"]
    assert open_all(tree, strategy, 4) == []
    finish(tree)
    assert open_all(tree, strategy, 3) == ["attempt", "attempt", "attempt"]
    assert {h.expand.node for h in tree.in_flight} == {tree.root}
    finish(tree)
    assert open_all(tree, strategy, 2) == ["attempt", "attempt"]


def test_a_share_of_the_attempts_carries_the_lesson_and_nothing_else_of_the_dead_branch() -> None:
    tree, strategy = planted(), Rewind(n=17, lessons=True)
    open_all(tree, strategy)
    finish(tree)
    open_all(tree, strategy, 1)
    reflection = finish(tree)
    chosen = strategy.select(tree, LEDGER, 16)
    assert [e.learnt for e in chosen] == ([reflection] + [None] * 7) * 2
    assert [e.lead for e in chosen] == [True, True, False, True] * 4
    assert all(e.node == tree.root for e in chosen)


def test_without_lessons_nothing_is_spent_on_reflecting() -> None:
    tree, strategy = planted(), Rewind(lessons=False)
    open_all(tree, strategy)
    finish(tree)
    assert set(open_all(tree, strategy)) == {"attempt"}


def test_all_attempts_but_those_that_begin_with_nothing_are_terse() -> None:
    tree, strategy = planted(), Rewind(n=17)
    (first,) = strategy.select(tree, LEDGER, 8)
    assert first.terse and not replace(strategy, terse=False).select(tree, LEDGER, 8)[0].terse
    tree.opened(first)
    finish(tree)
    assert [e.terse for e in strategy.select(tree, LEDGER, 16)] == [True, True, False, True] * 4
    assert not any(e.terse for e in replace(strategy, terse=False).select(tree, LEDGER, 16))


def coded(*logprobs: float) -> tuple[Step, ...]:
    """An attempt whose code has as many tokens, and the three doubtful ones that end it."""
    logprobs = (*logprobs, -3.0, -3.0, -3.0)
    ids = tuple(range(len(logprobs)))
    act = Step("act", "x", (Span((9,), sampled=False), Span(ids, sampled=True, logprobs=logprobs)))
    return (act, *TRIED[1:])


def test_it_rewinds_into_an_attempt_that_passed_a_part_and_keeps_the_tokens_before_a_doubt() -> None:
    tree, strategy = planted(), Rewind(n=100, lessons=False, inside=1.0)
    open_all(tree, strategy)
    tree.add(tree.in_flight[0], coded(0.0, 0.0, -2.0, 0.0), "s", [Verdict(0.5, "visible")], Cost())
    chosen = strategy.select(tree, LEDGER, 20)
    rewound = [e for e in chosen if e.kept]
    assert {e.kept for e in rewound} == {Kept(1, 2)} and len(rewound) == 15, "a quarter begins with nothing"
    assert {(e.node, e.lead) for e in chosen} == {(tree.root, False)}
    assert {e.sampling.without for e in rewound} == {(2,)}, "another token than the one that was there"


def test_it_rewinds_into_nothing_that_passed_no_test_at_all() -> None:
    tree, strategy = planted(), Rewind(lessons=False, inside=1.0)
    open_all(tree, strategy)
    tree.add(tree.in_flight[0], coded(-1.0, -1.0), "s", [Verdict(0.0, "visible")], Cost())
    assert {e.kept for e in strategy.select(tree, LEDGER, 8)} == {None}


def test_better_attempts_are_rewound_more_often_until_they_disappoint() -> None:
    tree, strategy = planted(), Rewind(n=1000, lessons=False, inside=1.0)
    open_all(tree, strategy)
    tree.add(tree.in_flight[0], coded(-1.0, -1.0), "s", [Verdict(0.2, "visible")], Cost())
    open_all(tree, strategy, 1)
    tree.add(tree.in_flight[0], coded(-1.0, -1.0), "s", [Verdict(0.8, "visible")], Cost())
    open_all(tree, strategy, 10)
    assert tree.rewinds(2) >= 6 > tree.rewinds(1)
    open_all(tree, strategy, 500)
    assert tree.rewinds(1) >= 20


def test_without_log_probabilities_any_token_may_be_the_last_that_is_kept() -> None:
    tree, strategy = planted(), Rewind(n=100, lessons=False, inside=1.0)
    open_all(tree, strategy)
    act = Step("act", "x", (Span((9,), sampled=False), Span((1, 2, 3, 4, 5, 6), sampled=True)))
    tree.add(tree.in_flight[0], (act, *TRIED[1:]), "s", [Verdict(0.5, "visible")], Cost())
    chosen = strategy.select(tree, LEDGER, 50)
    assert {e.kept.tokens for e in chosen if e.kept} == {0, 1, 2}


def test_it_never_opens_more_than_n_attempts() -> None:
    tree, strategy = planted(), Rewind(n=6)
    for _ in range(20):
        open_all(tree, strategy, 3)
        if tree.in_flight:
            finish(tree)
    assert tree.opened_as("attempt") == 6 and strategy.select(tree, LEDGER, 8) == []


def test_it_answers_with_the_best() -> None:
    tree, strategy = planted(), Rewind(n=3, lessons=False)
    open_all(tree, strategy)
    finish(tree, 0.2)
    open_all(tree, strategy)
    best = finish(tree, 0.8)
    finish(tree, 0.5)
    assert strategy.answer(tree) == best


def test_strategies_are_made_by_name_and_the_nearest_is_offered() -> None:
    for name in names():
        assert make(SearchConfig(strategy=name)) is not None
        assert make(SearchConfig(strategy=name), "question") is not None
    assert make(SearchConfig(attempts=3, temperature=0.2)) == Rewind(3, Sampling(temperature=0.2, max_tokens=768))
    with pytest.raises(ConfigError, match="did you mean revise"):
        make(SearchConfig(strategy="revize"))
    with pytest.raises(ConfigError, match=r"search\.attempts is 0"):
        make(SearchConfig(attempts=0))

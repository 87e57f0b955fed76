"""Every strategy on cores that are no help: it comes to an end, and says what it has."""

import pytest

from reasoner.completions import Sampling
from reasoner.config import SearchConfig
from reasoner.ledger import Cost, Ledger
from reasoner.search import by_kind, make, names
from reasoner.tree import Node, Tree
from reasoner.types import Expand, Kind, Span, Step, StepKind, Verdict

LEDGER = Ledger(clock=lambda: 0.0)
KINDS: tuple[Kind, ...] = ("coding", "question")
ATTEMPTS, MOST = 6, 200
EVERY = pytest.mark.parametrize("name", names())
DONE = ("beam", "dvts", "rebase", "mcts", "dialogue")
"""Those for which an attempt that passes the visible tests is the end."""


def driven(name: str, kind: Kind, last: StepKind, verdicts: list[Verdict]) -> tuple[Tree, Node | None]:
    """A whole search, every head of which writes the same."""
    tree, strategy = Tree("t"), make(SearchConfig(strategy=name, attempts=ATTEMPTS), kind)
    tree.plant([Step("task", "")], "w")
    while True:
        for expand in strategy.select(tree, LEDGER, 3 - len(tree.in_flight)):
            tree.opened(expand)
        if not tree.in_flight:
            answer = strategy.answer(tree)
            return tree, None if answer is None else tree[answer]
        assert len(tree) < MOST, "it never ends"
        head = tree.in_flight[0]
        remark = head.expand.move in ("criticise", "reflect")
        steps = [Step("act", "x", (Span((5, 6, 7, 8, 9), sampled=True),)), Step(last, "x")]
        if remark:
            steps = [Step("criticise" if head.expand.move == "criticise" else "reflect", "No.")]
        tree.add(head, steps, "w", [] if remark else verdicts, Cost())


@EVERY
def test_attempts_that_are_all_alike_come_to_an_end_and_to_an_answer(name: str) -> None:
    tree, answer = driven(name, "question", "answer", [Verdict(1.0, "answer", "7", "7")])
    assert answer is not None and answer.step("answer") and tree.candidates <= ATTEMPTS
    tree, answer = driven(name, "coding", "observe", [Verdict(0.5, "visible")])
    assert answer is not None and answer.score("visible") == 0.5


@EVERY
def test_attempts_that_can_none_of_them_be_used_come_to_an_end(name: str) -> None:
    _, answer = driven(name, "coding", "malformed", [Verdict(0.0, "visible", "no code")])
    assert answer is not None and answer.score("visible") == 0.0


@EVERY
def test_without_any_verdict_it_comes_to_an_end_too(name: str) -> None:
    for kind in KINDS:
        _, answer = driven(name, kind, "answer", [])
        assert answer is not None


@EVERY
def test_nothing_free_is_nothing_to_open(name: str) -> None:
    for kind in KINDS:
        tree = Tree("t")
        tree.plant([Step("task", "")], "w")
        assert make(SearchConfig(strategy=name), kind).select(tree, LEDGER, 0) == []
        assert make(SearchConfig(strategy=name), kind).answer(tree) is None


@pytest.mark.parametrize("name", DONE)
def test_what_is_solved_is_not_gone_on_with(name: str) -> None:
    for strategy in by_kind(SearchConfig(strategy=name)).values():
        tree = Tree("t")
        tree.plant([Step("task", "")], "w")
        head = tree.opened(Expand(0, "attempt", Sampling()))
        tree.add(head, [Step("act", "x")], "w", [Verdict(1.0, "visible")], Cost())
        assert strategy.select(tree, LEDGER, 8) == [] and strategy.answer(tree) == 1


def test_auto_takes_what_suits_the_kind_of_task() -> None:
    found = by_kind(SearchConfig())
    assert found == {"coding": make(SearchConfig(strategy="rewind")), "question": make(SearchConfig(strategy="vote"))}

"""Votes on hand-built trees."""

import pytest

from reasoner.completions import Sampling
from reasoner.ledger import Cost, Ledger
from reasoner.search import BestOfN, Vote, elected
from reasoner.tree import Tree
from reasoner.types import Expand, Span, Step, Verdict

LEDGER = Ledger(clock=lambda: 0.0)


def said(tree: Tree, key: str, source: str = "answer", **scores: float) -> int:
    head = tree.opened(Expand(0, "attempt", Sampling()))
    verdicts = [Verdict(1.0, source, key=key), *(Verdict(score, name) for name, score in scores.items())]
    steps = [Step("answer" if source == "answer" else "act", key, (Span((len(tree),), sampled=True),))]
    return tree.add(head, steps, "w", verdicts, Cost())


@pytest.fixture
def tree() -> Tree:
    tree = Tree("t")
    tree.plant([Step("task", "")], "w")
    return tree


def test_the_answer_that_most_attempts_give_wins_and_its_first_node_stands_for_it(tree: Tree) -> None:
    for key in ("7", "8", "8", "7", "8"):
        said(tree, key)
    assert Vote().answer(tree) == 2


def test_of_equals_the_one_that_had_so_many_first_wins(tree: Tree) -> None:
    for key in ("7", "8", "8", "7"):
        said(tree, key)
    assert Vote().answer(tree) == 2


def test_votes_can_be_weighed_by_a_source_and_its_surest_node_stands_for_the_answer(tree: Tree) -> None:
    for key, sure in (("7", 0.2), ("7", 0.2), ("8", 0.5), ("8", 0.4), ("7", 0.1), ("8", 0.6)):
        said(tree, key, certainty=sure)
    assert Vote(weight="certainty").answer(tree) == 6
    said(tree, "7", certainty=1.1)
    assert Vote(weight="certainty").answer(tree) == 7


def test_a_source_that_said_nothing_weighs_nothing(tree: Tree) -> None:
    for key in ("7", "8", "8"):
        said(tree, key)
    assert Vote(weight="absent").answer(tree) == Vote().answer(tree) == 2


def test_code_votes_by_behaviour_among_those_that_no_test_scores_lower(tree: Tree) -> None:
    for key, score in (("a", 0.5), ("a", 0.5), ("a", 0.5), ("b", 0.8), ("c", 0.8), ("c", 0.8)):
        said(tree, key, "behaviour", visible=score)
    assert Vote().answer(tree) == 5


def test_of_those_that_pass_the_tests_the_largest_cluster_answers(tree: Tree) -> None:
    for key, score in (("a", 0.5), ("x", 1.0), ("a", 0.5), ("b", 1.0), ("a", 0.5), ("b", 1.0)):
        said(tree, key, "behaviour", visible=score)
    assert Vote().answer(tree) == 4


def test_where_nobody_votes_the_tests_decide_and_without_them_the_last(tree: Tree) -> None:
    assert elected(tree) is None
    last = said(tree, "", "behaviour")
    assert elected(tree) == last
    best = said(tree, "", "behaviour", visible=0.5)
    said(tree, "", "behaviour", visible=0.1)
    assert elected(tree) == best


def test_it_opens_what_is_free_up_to_n_also_once_one_passes_its_tests(tree: Tree) -> None:
    vote = Vote(n=5)
    assert [len(vote.select(tree, LEDGER, free)) for free in (0, 3, 9)] == [0, 3, 5]
    said(tree, "7", "behaviour", visible=1.0)
    assert len(vote.select(tree, LEDGER, 9)) == 4, "those that pass vote, and one is no vote"
    assert BestOfN(5).answer(tree) == vote.answer(tree) == 1

import math

import pytest

from reasoner.completions import Sampling
from reasoner.ledger import Cost
from reasoner.tree import LIKELIHOOD, Tree, derive_seed
from reasoner.types import Expand, Span, Step, StepKind, Verdict


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


def finish(tree: Tree, at: int, verdicts: list[Verdict], *ids: int, kind: StepKind = "think") -> int:
    head = tree.opened(Expand(at, "continue", Sampling()))
    logprobs = tuple(-0.5 for _ in ids)
    return tree.add(head, [Step(kind, "", (Span(ids, sampled=True, logprobs=logprobs),))], "w", verdicts, Cost())


def test_visits_and_scores_are_backed_up_to_the_root(tree: Tree) -> None:
    a = finish(tree, 0, [Verdict(0.2, "v")], 1)
    b = finish(tree, a, [Verdict(0.6, "v")], 2)
    finish(tree, b, [Verdict(1.0, "other")], 3)
    assert [tree.sums(n).visits for n in (0, a, b)] == [4, 3, 2]
    assert [tree.mean(n, "v") for n in (0, a, b)] == [pytest.approx(0.4), pytest.approx(0.4), 0.6]
    assert tree.mean(a, "v") != tree.mean(a, "other") == 1.0 and tree.mean(0, "none") is None
    assert tree.along(b, "v") == pytest.approx(0.4) and tree.along(0, "v") is None
    assert tree.span("v") == (0.2, 0.6)


def test_heads_in_flight_are_counted_on_their_path_until_they_land_or_are_dropped(tree: Tree) -> None:
    a = finish(tree, 0, [], 1)
    heads = [tree.opened(Expand(a, "continue", Sampling())) for _ in range(2)]
    assert (tree.sums(0).flying, tree.sums(a).flying, tree.grown(a)) == (2, 2, 2)
    tree.drop(heads[0])
    tree.drop(heads[0])
    assert (tree.sums(0).flying, tree.sums(a).flying, tree.grown(a)) == (1, 1, 1)
    tree.reopened(heads[0])
    assert tree.grown(a) == 2
    for head in heads:
        tree.add(head, [step(2)], "w", [], Cost())
    assert tree.sums(0).flying == 0 and tree.grown(a) == len(tree.children(a)) == 2


def test_equal_keys_are_one_answer_and_the_first_of_equals_leads(tree: Tree) -> None:
    for key, sure in (("7", 0.9), ("8", 0.2), ("", 0.5), ("8", 0.3), ("7", 0.1)):
        finish(tree, 0, [Verdict(1.0, "answer", key=key), Verdict(sure, "certainty")], 1)
    poll = tree.poll("answer")
    assert poll.leader and poll.second and poll.total == 4 and poll.agreement == 0.5
    assert (poll.leader.key, poll.leader.nodes) == ("8", [2, 4]), "it had two votes first"
    assert poll.second.weights.items() >= {"answer": 2.0, "certainty": 1.0}.items()
    assert poll.second.weights["likelihood"] == pytest.approx(2 * math.exp(-0.5))
    assert tree.poll("nobody").leader is None and tree.poll("nobody").agreement == 0.0


def test_those_vote_that_the_visible_tests_score_highest(tree: Tree) -> None:
    finish(tree, 0, [Verdict(1.0, "behaviour", key="untested")], 1)
    assert tree.votes("behaviour").keys == ["untested"] and not tree.failing
    for key, score in (("a", 0.5), ("b", 0.2), ("a", 0.5), ("c", 1.0), ("d", 0.9), ("c", 1.0)):
        finish(tree, 0, [Verdict(1.0, "behaviour", key=key), Verdict(score, "visible")], 2, kind="act")
        assert tree.failing == (not tree.solved)
    finish(tree, 0, [Verdict(1.0, "behaviour", key="untested")], 3)
    assert (tree.votes("behaviour").keys, tree.poll("behaviour").total) == (["c", "c"], 8)


def test_an_answer_or_a_full_score_closes_a_branch(tree: Tree) -> None:
    part = finish(tree, 0, [Verdict(0.5, "visible")], 1, kind="act")
    assert not tree.closed(part) and not tree.solved and tree.candidates == 1
    full = finish(tree, part, [Verdict(1.0, "visible")], 2, kind="act")
    said = finish(tree, 0, [], 3, kind="answer")
    assert tree.closed(full) and tree.closed(said) and tree.solved and tree.candidates == 3
    assert (tree.ends(1), tree.ends(2), tree.depth) == (1, 1, 2)
    assert (list(tree.level(1)), list(tree.level(2)), list(tree.level(3))) == ([part, said], [full], [])


def done(tree: Tree, at: int, *kinds: StepKind) -> int:
    return tree.add(
        tree.opened(Expand(at, "continue", Sampling())), [Step(kind, "") for kind in kinds], "w", [], Cost()
    )


def test_a_branch_that_its_core_gave_up_is_closed_and_is_no_end(tree: Tree) -> None:
    given_up = done(tree, 0, "act", "observe", "backtrack")
    assert tree.closed(given_up) and tree.candidates == 0 and tree.ends(1) == 0


def test_observations_are_counted_from_the_latest_task_on() -> None:
    tree = Tree("t")
    tree.plant([Step("task", "")], "w")
    one = done(tree, 0, "act", "observe")
    two = done(tree, one, "think", "act", "observe")
    dead = done(tree, two, "backtrack")
    assert [tree.observed(dead, number) for number in range(4)] == [0, one, two, None]
    anew = done(tree, two, "task")
    assert [tree.observed(anew, number) for number in range(2)] == [anew, None]


def test_what_is_followed_is_the_end_of_an_attempt_or_the_branch_that_it_gave_up(tree: Tree) -> None:
    tree.opened(Expand(0, "follow", Sampling()))
    assert tree.followed(0) and tree.expand(0) is None
    dead = done(tree, 0, "backtrack")
    assert tree.expand(dead) and not tree.followed(dead)
    tree.opened(Expand(0, "follow", Sampling(), learnt=dead))
    assert tree.followed(dead)


def test_a_child_with_the_tokens_of_an_earlier_one_echoes_it(tree: Tree) -> None:
    first, again, other = (finish(tree, 0, [], *ids) for ids in ((4, 5), (4, 5), (4, 6)))
    below = finish(tree, again, [], 4, 5)
    assert [tree.echoes(n) for n in (first, again, other, below)] == [False, True, False, False]


def test_likelihood_is_of_sampled_tokens_alone(tree: Tree) -> None:
    forced = Span((9, 9), sampled=False, logprobs=(-9.0, -9.0))
    head = tree.opened(Expand(0, "continue", Sampling()))
    a = tree.add(head, [Step("think", "", (forced, Span((1, 2), True, (-1.0, -3.0))))], "w", [], Cost())
    b = finish(tree, a, [], 1, 1)
    assert tree.score(0, LIKELIHOOD) is None and tree.sums(a).likelihood == pytest.approx(math.exp(-2.0))
    assert tree.score(b, LIKELIHOOD) == pytest.approx(math.exp(-(1 + 3 + 0.5 + 0.5) / 4))

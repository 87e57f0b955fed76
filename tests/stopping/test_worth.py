from collections.abc import Callable

from reasoner.completions import Sampling
from reasoner.ledger import Cost, Ledger
from reasoner.stopping.worth import Gain, Sure
from reasoner.tree import Tree
from reasoner.types import Expand, NodeId

Voted = Callable[[str], Tree]


def spent(tokens: int) -> Ledger:
    ledger = Ledger(clock=lambda: 0.0)
    ledger.charge(Cost(decoded=tokens))
    return ledger


def last(tree: Tree) -> NodeId | None:
    return tree.nodes[-1].id


def test_an_answer_that_is_sure_enough_ends_the_search(voted: Voted) -> None:
    def by_count(tree: Tree, node: NodeId) -> float | None:
        return node / 10

    policy = Sure(last, by_count, 0.3)
    assert policy.decide(voted("ab"), spent(0)) is None
    stop = policy.decide(voted("abc"), spent(0))
    assert stop is not None and stop.confidence == 0.3


def test_where_nothing_says_how_sure_the_search_goes_on(voted: Voted) -> None:
    assert Sure(last, lambda tree, node: None, 0.1).decide(voted("a"), spent(0)) is None
    assert Sure(last, lambda tree, node: 1.0, 0.1).decide(voted(""), spent(0)) is None


def test_dear_samples_end_a_search_that_cheap_ones_do_not(voted: Voted) -> None:
    policy = Gain(worth=1_000)
    assert policy.decide(voted("...."), spent(4 * 50)) is None
    stop = policy.decide(voted("...."), spent(4 * 500))
    assert stop is not None and "500 tokens" in stop.reason


def test_failures_lower_what_the_next_attempt_may_bring(voted: Voted) -> None:
    policy = Gain(worth=1_000)
    ends = [n for n in range(2, 60) if policy.decide(voted("." * n), spent(n * 40))]
    assert ends == list(range(12, 60)), "0.5 in 12.5 is 40 of 1,000 tokens"


def test_a_clear_vote_makes_another_sample_worth_less_than_a_close_one(voted: Voted) -> None:
    policy = Gain(worth=1_000, source="answer")
    assert policy.decide(voted("aaaaaa"), spent(600)) is not None
    assert policy.decide(voted("ababab"), spent(600)) is None


def test_what_is_in_flight_is_not_counted(voted: Voted) -> None:
    tree = voted("..")
    for _ in range(5):
        tree.opened(Expand(0, "attempt", Sampling()))
    stop = Gain(worth=100).decide(tree, spent(200))
    assert stop is not None and "costs 100 tokens" in stop.reason

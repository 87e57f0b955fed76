import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from reasoner.ledger import Ledger
from reasoner.stopping import Spend, Vote, learnt
from reasoner.tree import Tree

Voted = Callable[[str], Tree]
KINDS = {"clear": "aaaaaaaaab", "close": "aaaaabbbbc", "hopeless": "bcdefghijk"}
"""What samples of a task may answer, each equally often; `a` is right."""


def walk(answers: str, chance: random.Random, samples: int = 30) -> Iterator[Vote]:
    counts: Counter[str] = Counter()
    for _ in range(samples):
        counts[chance.choice(answers)] += 1
        (leader, first), (_, second) = [*counts.most_common(2), ("", 0)][:2]
        yield Vote(first, second, leader == "a")


def walks(kinds: Sequence[str], seed: int, each: int = 400) -> list[list[Vote]]:
    chance = random.Random(seed)
    return [list(walk(KINDS[kind], chance)) for kind in kinds for _ in range(each)]


def ends(rule: object, votes: Sequence[Vote]) -> int:
    """After how many samples of these the rule would stop."""
    for n, vote in enumerate(votes[:-1], 1):
        now, later = rule.expects(vote.first, vote.second, n)  # type: ignore[attr-defined]
        if now >= later:
            return n
    return len(votes)


@pytest.mark.parametrize(("mean", "least"), [(4, 3), (8, 6), (16, 8)])
def test_no_more_samples_are_spent_on_average_than_were_asked_for(mean: int, least: int) -> None:
    rule = learnt(walks([*KINDS], 0), mean)
    used = [ends(rule, votes) for votes in walks([*KINDS], 1)]
    assert least < sum(used) / len(used) < 1.15 * mean


def test_close_votes_get_the_samples_that_clear_and_hopeless_ones_do_not_need() -> None:
    rule = learnt(walks([*KINDS], 0), 8)
    clear, close, hopeless = (
        sum(ends(rule, votes) for votes in walks([kind], 1)) / 400 for kind in ("clear", "close", "hopeless")
    )
    assert close > 1.5 * clear and close > 1.5 * hopeless


def test_more_are_right_than_of_as_many_samples_of_every_task() -> None:
    rule, others = learnt(walks([*KINDS], 0), 6), walks([*KINDS], 1, each=1500)
    spent = sum(votes[ends(rule, votes) - 1].right for votes in others)
    fixed = sum(votes[5].right for votes in others)
    assert spent > fixed


def test_a_search_is_stopped_as_the_rule_says_and_told_why(voted: Voted) -> None:
    policy = Spend("answer", learnt(walks([*KINDS], 0), 8))
    assert policy.decide(voted(""), Ledger()) is None
    assert policy.decide(voted("aabb"), Ledger()) is None
    stop = policy.decide(voted("aaaaa"), Ledger())
    assert stop is not None and stop.reason.startswith("5 of 5 agree") and (stop.confidence or 0.0) > 0.9
    given_up = policy.decide(voted("bcdef"), Ledger())
    assert given_up is not None and (given_up.confidence or 0.0) < 0.2


def test_samples_without_a_vote_count_as_drawn(voted: Voted) -> None:
    policy = Spend("answer", learnt(walks([*KINDS], 0), 8))
    assert policy.decide(voted("." * 29), Ledger()) is not None


def test_after_as_many_as_it_was_learnt_from_it_is_over(voted: Voted) -> None:
    stop = Spend("answer", learnt(walks(["close"], 0), 29)).decide(voted("ab" * 15), Ledger())
    assert stop is not None and "nothing is known of more" in stop.reason


def test_tasks_with_fewer_samples_do_not_shorten_the_others() -> None:
    short = [votes[:1] for votes in walks(["close"], 2)]
    rule = learnt([*walks([*KINDS], 0), *short], 6)
    assert len(rule.now) == 29
    assert sum(ends(rule, votes) for votes in walks(["close"], 1)) / 400 > 6

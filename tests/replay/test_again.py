"""Policies over pools whose every outcome is known: what they cost, what they choose, what was never recorded."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from reasoner.errors import ConfigError, TraceError
from reasoner.figures import plain
from reasoner.ledger import Ledger
from reasoner.replay import Fixed, Learns, Pool, Sample, curve, once, policy, selection
from reasoner.replay.policies import levels, names
from reasoner.stopping import Solved
from reasoner.tree import Tree
from reasoner.types import Step, Stop, Verdict


def sample(mark: str, tokens: int = 10) -> Sample:
    """`r` right, `p` passes the visible tests, a letter from `a` to `d` its vote, which no test was run on, a digit how
    sure a judge is of it."""
    key = "".join(c for c in mark if c in "abcd")
    said = Verdict(1.0, "answer", key, key) if key else Verdict(1.0 if "p" in mark else 0.0, "visible")
    sure = [Verdict(int(c) / 9, "judge") for c in mark if c.isdigit()]
    return Sample((Step("answer", mark),), (said, *sure), "r" in mark, tokens)


def pool(*marks: str, task: str = "t", prompt: int = 100) -> Pool:
    return Pool(task, prompt, tuple(map(sample, marks)), Path("x.jsonl"))


VISIBLE, VOTE = selection("visible"), selection("vote")


def test_a_fixed_number_is_drawn_and_the_prompt_is_read_once() -> None:
    found = once(pool("", "r", "rp", ""), Fixed(3), VISIBLE)
    assert (found.correct, found.samples, found.tokens, found.censored) == (True, 3, 130, False)
    assert found.reason == "3 samples"


def test_the_early_stop_is_plain_best_of_n() -> None:
    for marks in (("", "rp", "p"), ("p", "rp"), ("", "r")):
        replayed, beside = once(pool(*marks), Solved(), VISIBLE), plain(pool(*marks).draws("certainty"))
        assert (replayed.correct, replayed.tokens, replayed.samples) == (beside.correct, beside.tokens, beside.samples)


def test_a_policy_that_wants_more_than_was_recorded_is_censored() -> None:
    assert once(pool("", "r"), Solved(), VISIBLE).censored
    assert once(pool("", ""), Fixed(3), VISIBLE).censored
    assert not once(pool("", ""), Fixed(2), VISIBLE).censored


def test_a_sample_in_which_the_budget_ends_is_paid_for_and_lost() -> None:
    found = once(pool("", "rp", "rp"), Solved(), VISIBLE, budget=115)
    assert (found.tokens, found.samples, found.correct, found.reason) == (115, 1, False, "budget spent: tokens")
    assert once(pool("", "rp"), Solved(), VISIBLE, budget=120).correct
    assert once(pool("rp"), Solved(), VISIBLE, budget=60).tokens == 60, "not even the prompt fits"


def test_an_order_decides_which_sample_comes_when() -> None:
    assert once(pool("", "rp", ""), Solved(), VISIBLE, order=[1, 0, 2]).samples == 1
    assert once(pool("a", "rb", "rb"), Fixed(1), VOTE, order=[2, 0, 1]).correct


def test_the_vote_is_for_the_most_frequent_answer() -> None:
    assert once(pool("a", "rb", "rb", "c"), Fixed(4), VOTE).correct
    assert not once(pool("a", "rb"), Fixed(2), VOTE).correct, "the earliest of equals"


@pytest.mark.parametrize(
    ("name", "drawn"), [("leads:0.95", 4), ("agrees:3", 3), ("fixed:5", 5), ("agrees:3+fixed:2", 2)]
)
def test_a_policy_is_known_by_its_name(name: str, drawn: int) -> None:
    assert once(pool(*["ra"] * 9), policy(name)([]), VOTE).samples == drawn


def test_any_policy_can_be_replayed() -> None:
    class Odd:
        def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
            return Stop("odd") if len(tree) > 2 and ledger.spent.tokens % 20 == 10 else None

    found = once(pool("a", "b", "rc", "d", prompt=110), Odd(), selection("last"))
    assert (found.reason, found.samples, found.correct) == ("odd", 2, False)


def test_a_policy_that_learns_is_made_from_the_other_tasks() -> None:
    seen: list[list[str]] = []

    def make(pools: Sequence[Pool]) -> Fixed:
        seen.append([p.task for p in pools])
        return Fixed(1)

    curve([pool("r", task=name) for name in "abcdef"], "x", make, VISIBLE)
    assert [sorted({*"abcdef"} - {*tasks}) for tasks in seen] == [["a", "f"], ["b"], ["c"], ["d"], ["e"]]
    assert [(level.right, level.wrong, level.weight) for level in levels([pool("ra", "b", "b", "c")])] == [
        (0.25, 0.5, 1)
    ]


def test_a_curve_says_accuracy_tokens_and_what_is_censored_in_each_budget() -> None:
    pools = [pool("", "rp", task="a"), pool("rp", "", task="b"), pool("", "", task="c"), pool("p", task="d")]
    low, high = curve(pools, "solved", policy("solved"), VISIBLE, [110, 1000])
    assert (low.accuracy.value, low.tokens.value, low.censored) == (0.25, 110, 0.0)
    assert (high.accuracy.value, high.tokens.value, high.censored) == (0.5, 115, 0.25)
    assert high.accuracy.low <= 0.5 <= high.accuracy.high
    assert high.each == (1.0, 1.0, 0.0, 0.0)


def test_orders_are_drawn_without_replacement_and_the_first_is_the_recorded_one() -> None:
    pools = [pool(*["ra"] * 3, "b", "c", "d", task="t")]
    (recorded,) = curve(pools, "fixed:6", policy("fixed:6"), VOTE)
    (many,) = curve(pools, "fixed:6", policy("fixed:6"), VOTE, orders=30)
    assert recorded.accuracy.value == many.accuracy.value == 1.0, "the whole pool says the same in every order"
    (one,) = curve(pools, "fixed:1", policy("fixed:1"), VOTE, orders=400)
    assert one.accuracy.value == pytest.approx(0.5, abs=0.08)


def test_one_seed_gives_one_curve() -> None:
    pools = [pool("ra", "b", "ra", "c", task=str(i)) for i in range(5)]
    runs = [curve(pools, "leads", policy("leads:0.7"), VOTE, orders=9, seed=3) for _ in range(2)]
    assert runs[0] == runs[1]


def test_what_was_recorded_for_no_task_is_refused() -> None:
    with pytest.raises(
        TraceError, match=r"for every task: there are at most 2 of each; bound it, as in fixed:9\+fixed:2"
    ):
        curve([pool("", "r")], "fixed:9", policy("fixed:9"), VISIBLE)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("solve", "did you mean solved"),
        ("zzz", "choose of"),
        ("fixed:0", "between 1 and"),
        ("leads:x", "no number"),
        ("fixed:-1", "between"),
        ("leads:nan", "between"),
    ],
)
def test_a_name_that_means_nothing_is_a_sentence(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        policy(name)


def test_every_name_in_the_help_is_one() -> None:
    for name in names().split(", "):
        assert policy(name)([pool("ra", "b"), pool("ra", "c")])
    with pytest.raises(ConfigError, match="choose one of visible"):
        selection("best")


def test_any_source_that_scored_selects_and_weighs_votes() -> None:
    mixed = pool("a1", "a1", "rb9", "c5")
    every = [mixed]
    assert once(mixed, Fixed(4), selection("judge", every)).correct
    assert not once(mixed, Fixed(4), VOTE).correct and once(mixed, Fixed(4), selection("vote:judge", every)).correct
    with pytest.raises(ConfigError, match=r"no selection 'judges': choose one of .*calibrated, .*judge, .*vote:judge"):
        selection("judges", every)
    with pytest.raises(ConfigError, match="there is no selection 'judge'"):
        selection("judge", [pool("a")])


def test_what_is_calibrated_means_what_it_meant_in_other_tasks() -> None:
    """Tests that pass what is wrong, and a judge that knows."""
    known = [pool(*["p1", "r9", "1"] * 6, task=str(at)) for at in range(20)]
    asked = pool("1", "p1", "r9", "p1")
    assert not once(asked, Fixed(4), VISIBLE).correct
    assert once(asked, Fixed(4), selection("calibrated", known)).correct
    select = Learns(partial(selection, "calibrated"))
    stopped = once(asked, policy("sure:0.9", answer=select)(known), select.make(known))
    assert (stopped.correct, stopped.samples) == (True, 3)
    (point,) = curve([*known, asked], "sure:0.9", policy("sure:0.9", answer=select), select)
    assert point.accuracy.value == 1.0 and point.samples.value < 3
    with pytest.raises(ConfigError, match="nothing to calibrate with"):
        once(asked, Fixed(4), selection("calibrated"))

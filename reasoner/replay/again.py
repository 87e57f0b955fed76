"""Let a policy decide over a pool that grows sample by sample, and say what it would have come to.

Samples come one after the other, as with one head in flight; a search of more heads pays for those that a stop cancels
besides. A policy that has not stopped when the pool is at its end would have needed samples that nobody recorded: that
is said (`censored`), and what it came to is what was there.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reasoner.completions import Sampling
from reasoner.errors import TraceError
from reasoner.estimates import Estimate, mean
from reasoner.ledger import Budget, Cost, Ledger
from reasoner.protocols import StopPolicy
from reasoner.replay.policies import Learns, Make, Select
from reasoner.replay.pools import Pool, Sample
from reasoner.stopping import BudgetSpent, FirstOf
from reasoner.tree import Tree
from reasoner.types import Expand, NodeId, Step

_ATTEMPT = Expand(0, "attempt", Sampling())
_TASK = Step("task", "")
_FOLDS = 5


@dataclass(frozen=True)
class Outcome:
    """What a policy would have come to on one task, in one order of its samples."""

    correct: bool
    tokens: int
    samples: int
    reason: str
    censored: bool


@dataclass(frozen=True)
class Point:
    """A policy within a budget of tokens a task, over all tasks. Intervals are over tasks, 95 %."""

    policy: str
    budget: int | None
    accuracy: Estimate
    tokens: Estimate
    samples: Estimate
    censored: float
    """Share of tasks and orders that would have needed more samples than were recorded."""
    each: tuple[float, ...] = ()
    """Accuracy of each task over its orders, in the order of the pools: for differences, paired by task."""


def once(
    pool: Pool, policy: StopPolicy, select: Select, budget: int | None = None, order: Sequence[int] | None = None
) -> Outcome:
    """Replay one pool; `order` says which sample comes when, as recorded if it is not given. With a `budget` of tokens
    the search ends where it is spent: the sample that reaches it is paid for up to there, and lost."""
    ledger = Ledger(Budget(tokens=budget), clock=_standing)
    stopping = FirstOf((policy, BudgetSpent()))
    tree = Tree(pool.task)
    tree.plant([_TASK], "s0")
    stop = stopping.decide(tree, ledger)
    left = iter(range(len(pool.samples)) if order is None else order)
    while stop is None:
        at = next(left, None)
        if at is None:
            break
        _draw(tree, ledger, pool, pool.samples[at])
        stop = stopping.decide(tree, ledger)
    node = select(tree)
    correct = bool(node) and _correct(pool, node or 0, order)
    return Outcome(correct, ledger.spent.tokens, len(tree) - 1, stop.reason if stop else "", stop is None)


def curve(
    pools: Sequence[Pool],
    name: str,
    make: Make,
    select: Select | Learns,
    budgets: Sequence[int | None] = (None,),
    *,
    orders: int = 1,
    seed: int = 0,
) -> list[Point]:
    """A policy within each budget. The first order is the recorded one, the others are drawn at random without
    replacement, so that no sample agrees with itself; of pools of which one is `ordered` there is the recorded one
    alone. A policy or a selection that learns from pools is made for each fifth of the tasks, from the other four.

    Raises:
        TraceError: the policy would have needed samples that were not recorded, for every task and in every order.
    """
    chance = random.Random(seed)
    orders = 1 if any(pool.ordered for pool in pools) else orders
    shuffled = [_orders(len(pool.samples), orders, chance) for pool in pools]
    others = [[pool for at, pool in enumerate(pools) if at % _FOLDS != fold] for fold in range(_FOLDS)]
    policies = [make(known) for known in others]
    selects = [select.make(known) if isinstance(select, Learns) else select for known in others]
    points = []
    for budget in budgets:
        outcomes = [
            [once(pool, policies[at % _FOLDS], selects[at % _FOLDS], budget, order) for order in shuffled[at]]
            for at, pool in enumerate(pools)
        ]
        points.append(_point(name, budget, outcomes, seed))
    if all(point.censored == 1.0 for point in points):
        most = max(len(pool.samples) for pool in pools)
        raise TraceError(
            f"the policy {name} would have needed samples that were not recorded, for every task: there are at most "
            f"{most} of each; bound it, as in {name}+fixed:{most}"
        )
    return points


def _orders(count: int, orders: int, chance: random.Random) -> list[list[int]]:
    return [list(range(count)), *(chance.sample(range(count), count) for _ in range(orders - 1))]


def _draw(tree: Tree, ledger: Ledger, pool: Pool, sample: Sample) -> None:
    """Add a sample as the search would have; of one in which the budget runs out nothing remains but its cost."""
    first = len(tree) == 1
    cost = Cost(prefilled=pool.prompt if first else 0, cached=0 if first else pool.prompt, decoded=sample.tokens)
    left = ledger.tokens_left
    head = tree.opened(_ATTEMPT)
    if left is not None and cost.tokens > left:
        read = min(cost.prefilled, left)
        ledger.charge(Cost(prefilled=read, decoded=left - read))
        tree.drop(head)
        return
    ledger.charge(cost)
    tree.add(head, sample.steps, "", sample.verdicts, cost)


def _correct(pool: Pool, node: NodeId, order: Sequence[int] | None) -> bool:
    """Nodes count from 1 in the order of drawing."""
    return pool.samples[node - 1 if order is None else order[node - 1]].correct


def _point(name: str, budget: int | None, outcomes: list[list[Outcome]], seed: int) -> Point:
    def over_tasks(values: list[list[float]]) -> Estimate:
        return mean([sum(row) / len(row) for row in values], np.random.default_rng(seed))

    each = [[float(o.correct) for o in row] for row in outcomes]
    flat = [o for row in outcomes for o in row]
    return Point(
        name,
        budget,
        over_tasks(each),
        over_tasks([[float(o.tokens) for o in row] for row in outcomes]),
        over_tasks([[float(o.samples) for o in row] for row in outcomes]),
        sum(o.censored for o in flat) / len(flat),
        tuple(sum(row) / len(row) for row in each),
    )


def _standing() -> float:
    """A replay takes no time."""
    return 0.0

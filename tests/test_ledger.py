import pytest

from reasoner.ledger import Budget, Cost, Ledger, affordable


def frozen_clock() -> float:
    return 0.0


def test_a_charge_reaches_every_enclosing_ledger() -> None:
    run = Ledger(clock=frozen_clock)
    task = run.nested()
    task.nested().charge(Cost(decoded=3, tool_calls=1))
    task.nested().charge(Cost(prefilled=5))
    assert run.spent == task.spent == Cost(prefilled=5, decoded=3, tool_calls=1)


def test_cached_tokens_cost_nothing() -> None:
    assert Cost(prefilled=2, cached=100, decoded=3, verifier=4).tokens == 9


def test_a_budget_names_the_dimension_that_is_used_up() -> None:
    ledger = Ledger(Budget(tokens=10, tool_calls=2), clock=frozen_clock)
    assert ledger.exhausted == "" and ledger.tokens_left == 10
    ledger.charge(Cost(tool_calls=2))
    assert ledger.exhausted == "tool_calls"
    ledger.charge(Cost(decoded=12))
    assert ledger.exhausted == "tokens" and ledger.tokens_left == 0


def test_an_outer_budget_binds_the_inner_scope() -> None:
    run = Ledger(Budget(tokens=10), clock=frozen_clock)
    task = run.nested(Budget(tokens=100))
    task.charge(Cost(decoded=4))
    assert task.tokens_left == 6
    task.charge(Cost(decoded=6))
    assert task.exhausted == "tokens"


def test_wall_time_runs_on_its_own_and_carries_over() -> None:
    now = [100.0]
    ledger = Ledger(Budget(wall_s=5), clock=lambda: now[0], carried=Cost(wall_s=3))
    assert ledger.exhausted == ""
    now[0] += 2
    assert ledger.spent.wall_s == 5 and ledger.exhausted == "wall_s"


@pytest.mark.parametrize(
    ("left", "growing", "landed", "most"),
    [
        (None, [], 4, 8),
        (10_000, [], 4, 8),
        (320, [], 4, 3),
        (320, [40, 90], 4, 4),
        (150, [0, 0], 4, 1),
        (30, [], 4, 1),
        (320, [], 0, 8),
    ],
)
def test_no_head_is_begun_that_the_tokens_left_would_not_take_to_its_end(
    left: int | None, growing: list[int], landed: int, most: int
) -> None:
    """Four heads wrote 100 tokens each."""
    spent = 500 + 100 * landed + sum(growing)
    ledger = Ledger(Budget(tokens=None if left is None else spent + left))
    ledger.charge(Cost(prefilled=500, decoded=100 * landed))
    branches = [ledger.nested() for _ in growing]
    for branch, written in zip(branches, growing, strict=True):
        branch.charge(Cost(decoded=written))
    assert affordable(8, ledger, branches, landed) == most

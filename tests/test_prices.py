"""Money: charged where tokens are, carried upward, bounded like everything else."""

import pytest

from reasoner.assembly import assemble
from reasoner.config import BudgetConfig, Config, CoreConfig, PricesConfig
from reasoner.errors import ConfigError
from reasoner.ledger import Budget, Cost, Ledger, Prices

PRICES = Prices(prefilled=1.0, cached=0.1, decoded=4.0, second=0.5)


def test_tokens_are_paid_by_the_million_and_once() -> None:
    run = Ledger(clock=lambda: 0.0, prices=PRICES)
    branch = run.nested().nested()
    branch.charge(Cost(prefilled=1_000_000, cached=2_000_000, decoded=500_000, verifier=250_000))
    assert branch.spent.money == run.spent.money == pytest.approx(1.0 + 0.2 + 2.0 + 1.0)


def test_seconds_are_paid_in_the_outermost_scope_alone() -> None:
    now = [0.0]
    run = Ledger(clock=lambda: now[0], prices=PRICES)
    branches = [run.nested(), run.nested()]
    now[0] = 10.0
    assert [b.spent.money for b in branches] == [0.0, 0.0]
    assert run.spent.money == 5.0


def test_a_bound_in_money_is_a_bound() -> None:
    ledger = Ledger(Budget(money=0.001), clock=lambda: 0.0, prices=PRICES)
    ledger.nested().charge(Cost(decoded=249))
    assert ledger.exhausted == ""
    ledger.nested().charge(Cost(decoded=1))
    assert ledger.exhausted == "money"


@pytest.mark.parametrize(("url", "named"), [("", "prices.second"), ("http://localhost:1/v1", "prices.decoded")])
async def test_a_budget_of_money_where_nothing_costs_any_is_refused_before_anything_opens(url: str, named: str) -> None:
    config = Config(CoreConfig(url=url), budget=BudgetConfig(money=1.0))
    with pytest.raises(ConfigError, match=f"never spent where nothing costs any: set .*{named}"):
        async with assemble(config):
            pass


async def test_prices_of_tokens_are_no_prices_for_the_local_core() -> None:
    config = Config(budget=BudgetConfig(money=1.0), prices=PricesConfig(decoded=4.0))
    with pytest.raises(ConfigError, match=r"set prices\.second"):
        async with assemble(config):
            pass

"""What may be spent and what was. A charge goes to a ledger and to every ledger it is nested in: branch, task, run."""

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace

from reasoner.errors import ConfigError


@dataclass(frozen=True)
class Cost:
    """A vector of what one piece of work took. Token counts, seconds, calls, and money in the price table's unit."""

    prefilled: int = 0
    cached: int = 0
    decoded: int = 0
    verifier: int = 0
    """Tokens that a verifier read and wrote."""
    tool_calls: int = 0
    tool_cpu_s: float = 0.0
    wall_s: float = 0.0
    money: float = 0.0
    saved_calls: int = 0
    saved_cpu_s: float = 0.0
    """Calls of tools that were not made because how they would end was known, and what they would have taken."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def tokens(self) -> int:
        """Tokens that were computed: a cached token costs nothing."""
        return self.prefilled + self.decoded + self.verifier


@dataclass(frozen=True)
class Prices:
    """What is paid, in a currency of the user's: per million tokens, and per second in which this machine is busy.

    Verifier tokens are charged as decoded ones, the dearer kind, since nobody says which they were.
    """

    prefilled: float = 0.0
    cached: float = 0.0
    decoded: float = 0.0
    second: float = 0.0

    def tokens(self, cost: Cost) -> float:
        """The price of a cost's tokens."""
        written = cost.decoded + cost.verifier
        return (cost.prefilled * self.prefilled + cost.cached * self.cached + written * self.decoded) / 1e6

    @property
    def free(self) -> bool:
        return self == Prices()


@dataclass(frozen=True)
class Budget:
    """Upper bounds; None leaves a dimension free. `tokens` bounds what is computed: prefilled, decoded and verifier.

    Raises:
        ConfigError: a bound is below 0 or no number.
    """

    tokens: int | None = None
    wall_s: float | None = None
    tool_calls: int | None = None
    tool_cpu_s: float | None = None
    money: float | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            bound = getattr(self, f.name)
            if bound is not None and not 0 <= bound < math.inf:
                raise ConfigError(f"a budget of {bound} for {f.name} cannot be: say a number from 0 up, or none")

    def spent_by(self, cost: Cost) -> str:
        """The first dimension of which `cost` has used all, empty when there is none."""
        for f in fields(self):
            bound = getattr(self, f.name)
            if bound is not None and getattr(cost, f.name) >= bound:
                return f.name
        return ""


UNBOUNDED = Budget()


class Ledger:
    """Running total of one scope. `spent` includes everything that was charged to nested ledgers.

    Tokens are priced where they are charged first; seconds in the outermost scope alone, since what runs side by side
    shares them.
    """

    def __init__(
        self,
        budget: Budget | None = None,
        *,
        within: "Ledger | None" = None,
        clock: Callable[[], float] = time.monotonic,
        carried: Cost | None = None,
        prices: Prices | None = None,
    ) -> None:
        self.budget = budget or Budget()
        self.prices = prices or Prices()
        self._within = within
        self._clock = clock
        self._started = clock()
        self._charged = carried or Cost()
        """A resumed search carries what it had spent before."""

    def nested(self, budget: Budget | None = None) -> "Ledger":
        return Ledger(budget, within=self, clock=self._clock, prices=self.prices)

    def charge(self, cost: Cost) -> None:
        self._take(replace(cost, money=cost.money + self.prices.tokens(cost)))

    def _take(self, cost: Cost) -> None:
        self._charged += cost
        if self._within:
            self._within._take(cost)

    @property
    def spent(self) -> Cost:
        """Wall seconds are the scope's own: heads that run side by side share them."""
        wall_s = self._charged.wall_s + self._clock() - self._started
        paid = 0.0 if self._within else wall_s * self.prices.second
        return replace(self._charged, wall_s=wall_s, money=self._charged.money + paid)

    @property
    def exhausted(self) -> str:
        """The dimension that is used up, here or in an enclosing scope; empty when there is none."""
        return self.budget.spent_by(self.spent) or (self._within.exhausted if self._within else "")

    @property
    def tokens_left(self) -> int | None:
        """Tokens that may still be computed, None when nothing bounds them."""
        own = None if self.budget.tokens is None else max(0, self.budget.tokens - self.spent.tokens)
        outer = self._within.tokens_left if self._within else None
        return min((n for n in (own, outer) if n is not None), default=None)


def affordable(width: int, ledger: Ledger, growing: Collection[Ledger], landed: int) -> int:
    """How many heads, of `width` at most, the tokens that are left take to their ends, if each writes as much as the
    `landed` ones did on average: those in `growing` (their own ledgers), then others. One always, to use the rest."""
    left = ledger.tokens_left
    if left is None:
        return width
    written = [branch.spent.decoded for branch in growing]
    each = (ledger.spent.decoded - sum(written)) / max(1, landed)
    if each <= 0:
        return width
    more = (left - sum(max(0.0, each - n) for n in written)) // each
    return max(1, min(width, len(written) + int(more)))

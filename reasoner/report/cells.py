"""What a table is made of: texts for people, and beside them the numbers that they show, for programs."""

import math
from dataclasses import dataclass
from typing import TypeAlias

from reasoner.estimates import Estimate
from reasoner.types import Json


@dataclass(frozen=True)
class Number:
    """A number as it is shown, and as it is: a share between 0 and 1, all else in the unit of its column."""

    text: str
    value: float | None
    """None where there is none, or it is not finite."""
    low: float | None = None
    high: float | None = None
    """Of its 95 % interval, where it has one."""

    def __str__(self) -> str:
        return self.text


Cell: TypeAlias = str | Number


@dataclass(frozen=True)
class Table:
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def json(self) -> Json:
        """A cell is a text, or an object with `text`, `value`, `low` and `high`."""
        rows = [[cell if isinstance(cell, str) else vars(cell) for cell in row] for row in self.rows]
        return {"title": self.title, "header": self.header, "rows": rows, "note": self.note}


def number(value: float, form: str = ",.0f", unit: str = "") -> Number:
    return Number(f"{value:{form}}{unit}", _finite(value))


def nothing(text: str = "–") -> Number:
    """Where a number would be."""
    return Number(text, None)


def percent(found: Estimate | None, form: str = ".1%") -> Number:
    """A share with its interval."""
    if found is None:
        return nothing()
    said = f"{found.value:{form}}  [{found.low:{form}}, {found.high:{form}}]"
    return Number(said, found.value, found.low, found.high)


def points(by: Estimate) -> Number:
    """A difference of shares, in points of a hundred."""
    value, low, high = (100 * each for each in (by.value, by.low, by.high))
    return Number(f"{value:+.1f}  [{low:+.1f}, {high:+.1f}]", value, low, high)


def amount(found: Estimate) -> Number:
    """Tokens with their interval, which may have no end."""
    high = f"{found.high:,.0f}" if math.isfinite(found.high) else "never"
    said = f"{found.value:,.0f}  [{found.low:,.0f}, {high}]"
    return Number(said, *map(_finite, (found.value, found.low, found.high)))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

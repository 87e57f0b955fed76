"""Strategies: pure functions of a tree and a ledger that say which heads to grow. `make` finds one by its name."""

from reasoner.search.plain import BestOfN, Revise, Single

__all__ = ["BestOfN", "Revise", "Single"]

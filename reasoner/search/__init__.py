"""Strategies: pure functions of a tree and a ledger that say which heads to grow. `make` finds one by its name."""

import difflib
from collections.abc import Callable

from reasoner.config import SearchConfig
from reasoner.errors import ConfigError
from reasoner.protocols import Strategy
from reasoner.search.plain import BestOfN, Revise, Single
from reasoner.search.rewind import Rewind
from reasoner.types import Sampling

__all__ = ["BestOfN", "Revise", "Rewind", "Single", "make", "names"]


def names() -> tuple[str, ...]:
    return tuple(_KNOWN)


def make(config: SearchConfig) -> Strategy:
    """The strategy that `config` names, with its settings.

    Raises:
        ConfigError: there is none of that name, or a number makes no sense.
    """
    if config.strategy not in _KNOWN:
        near = difflib.get_close_matches(config.strategy, _KNOWN, 1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(_KNOWN)}"
        raise ConfigError(f"there is no strategy {config.strategy!r}: {hint}")
    for key in ("attempts", "width", "max_tokens"):
        if getattr(config, key) < 1:
            raise ConfigError(f"search.{key} is {getattr(config, key)}: it must be at least 1")
    if not 0 <= config.temperature <= 5:
        raise ConfigError(f"search.temperature is {config.temperature}: it must be between 0 and 5")
    return _KNOWN[config.strategy](config, Sampling(temperature=config.temperature, max_tokens=config.max_tokens))


_KNOWN: dict[str, Callable[[SearchConfig, Sampling], Strategy]] = {
    "rewind": lambda config, sampling: Rewind(config.attempts, sampling, think=config.think),
    "best_of_n": lambda config, sampling: BestOfN(config.attempts, sampling, think=config.think),
    "revise": lambda config, sampling: Revise(config.attempts, sampling, think=config.think),
    "single": lambda config, sampling: Single(Sampling(max_tokens=config.max_tokens), think=config.think),
}

"""Verifiers score finished nodes. Scores of different sources are never compared raw. `make` finds them by name."""

import difflib
from collections.abc import Callable, Iterable

from reasoner.completions import CoreInfo
from reasoner.errors import ConfigError
from reasoner.protocols import Verifier
from reasoner.verifiers.answers import Answers
from reasoner.verifiers.behaviour import Behaviour
from reasoner.verifiers.certainty import WINDOW, Certainty
from reasoner.verifiers.judge import Judge
from reasoner.verifiers.maths import Maths
from reasoner.verifiers.own_tests import OwnTests
from reasoner.verifiers.reward import Reward
from reasoner.verifiers.self_tests import SelfTests
from reasoner.verifiers.suite import VisibleSuite

__all__ = ["make", "purposes"]


def purposes() -> dict[str, str]:
    """What each verifier that can be asked for says, in one line, by its name."""
    return {name: purpose for name, (purpose, _) in _KNOWN.items()} | {
        "reward:HEAD": "a trained head of the model; step:HEAD judges every step"
    }


def make(names: Iterable[str], core: CoreInfo | None = None) -> tuple[Verifier, ...]:
    """The visible tests and the answers, which always speak, and those that are named, each once and in that order.

    Raises:
        ConfigError: there is none of that name, or the core cannot do what it needs.
    """
    own = OwnTests()
    chosen = [_one(name, own, core) for name in dict.fromkeys(names) if name not in _ALWAYS]
    return (VisibleSuite(), Answers(Maths.here()), *chosen)


def _one(name: str, own: OwnTests, core: CoreInfo | None) -> Verifier:
    kind, _, head = name.partition(":")
    if kind in ("reward", "step") and head:
        if core and not core.heads:
            raise ConfigError(f"the core {core.name} has no reward heads to judge with: leave out {name!r}")
        if core and head not in core.heads:
            raise ConfigError(f"the core {core.name} has no reward head {head!r}: it has {', '.join(core.heads)}")
        return Reward(head, "outcome" if kind == "reward" else "step")
    if name not in _KNOWN:
        known = purposes()
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}"
        raise ConfigError(f"there is no verifier {name!r}: {hint}")
    return _KNOWN[name][1](own)


_ALWAYS = ("visible", "answer", "likelihood")
_KNOWN: dict[str, tuple[str, Callable[[OwnTests], Verifier]]] = {
    "certainty": ("how sure the model was of its tokens; costs nothing", lambda _: Certainty()),
    "lowest": ("how sure it was of its weakest stretch; costs nothing", lambda _: Certainty(WINDOW)),
    "judge": ("the model's own yes or no; a few tokens", lambda _: Judge()),
    "behaviour": ("code votes by what it does; one run", lambda own: Behaviour(own=own)),
    "self_tests": ("code votes by which of the model's own tests it passes; one run", SelfTests),
}

"""Values taken out of a server's answer. The answer is hostile: every read checks the kind of what it finds."""

import math
from collections.abc import Sequence
from typing import Any

from reasoner.errors import CoreError

FLOOR = -9999.0
"""What vLLM answers for a probability of 0; llama.cpp answers the lowest float."""


def pick(answer: Any, *path: str | int) -> Any:
    """What is at `path`, keys and positions.

    Raises:
        CoreError: the answer has another shape.
    """
    value = answer
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError) as error:
            where = ".".join(map(str, path))
            raise CoreError(
                f"the server's answer has no {where}, it is {_kind(answer)}: check that a model server is at this URL"
            ) from error
    return value


def record(value: Any) -> dict[str, Any]:
    """An object; null is empty."""
    if value is None or isinstance(value, dict):
        return value or {}
    raise CoreError(f"the server answered {_kind(value)} where an object belongs: check its version")


def rows(value: Any) -> list[Any]:
    """A list; null is empty."""
    if value is None or isinstance(value, list):
        return value or []
    raise CoreError(f"the server answered {_kind(value)} where a list belongs: check its version")


def text(value: Any) -> str:
    """A text; null is empty."""
    if value is None or isinstance(value, str):
        return value or ""
    raise CoreError(f"the server answered {_kind(value)} where a text belongs: check its version")


def ids(value: Any) -> tuple[int, ...]:
    """Token ids; null is none."""
    found = rows(value)
    if all(isinstance(i, int) and not isinstance(i, bool) for i in found):
        return tuple(found)
    raise CoreError(f"the server answered {_kind(value)} where token ids belong: check its version")


def logprobs(values: Sequence[Any]) -> tuple[float, ...]:
    """Natural-log probabilities, finite, 0 at the most but for rounding, and FLOOR at the least."""
    found = []
    for value in values:
        if not isinstance(value, int | float):
            raise CoreError(f"the server answered {_kind(value)} where a log-probability belongs: check its version")
        if not math.isfinite(value) or value > 1e-3:
            raise CoreError(f"the server answered the log-probability {value}: look at its log for NaN in the logits")
        found.append(max(FLOOR, min(0.0, float(value))))
    return tuple(found)


def count(value: Any) -> int | None:
    """A number of tokens, None when the server does not tell."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _kind(value: Any) -> str:
    """What a value is, never what it says: it may hold what must not be shown."""
    return f"an object of {len(value)} fields" if isinstance(value, dict) else f"a {type(value).__name__}"

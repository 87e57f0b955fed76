"""Runs in a world, never here: what a candidate gives back on some calls, and which statements hold of it.

The host sends this file's text with a request behind it and reads the last line that is printed. Everything is in the
candidate's own process, so a hostile one can say what it likes of itself, and of itself alone. Standard library only.
"""

import hashlib
import itertools
import json
import random
import re
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO, cast

DEEPEST = 30
LONGEST = 10_000
ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


def probe(request: dict[str, Any]) -> dict[str, Any]:
    """`{"imports": [...], "calls": [...], "asserts": [...], "each_s", "total_s"}` -> `{"error", "outcomes"}`.

    Outcomes are one for each call, then one for each statement: "=" and a digest of the value, "passed", "failed",
    "raised NAME", "late", "not run".
    """
    names: dict[str, Any] = {"_seen": seen}
    until = time.monotonic() + request["total_s"]
    for line in request["imports"]:
        outcome = held(line, names, request["each_s"])
        if outcome != "passed":
            return {"error": f"{line.splitlines()[0]}: {outcome}", "outcomes": []}
    outcomes = []
    for kind in ("calls", "asserts"):
        work = called if kind == "calls" else held
        for text in request[kind]:
            left = until - time.monotonic()
            outcomes.append(work(text, names, min(left, request["each_s"])) if left > 0 else "not run")
    return {"error": "", "outcomes": outcomes}


def called(text: str, names: dict[str, Any], seconds: float) -> str:
    outcome, value = limited(lambda: digest(eval(text, names)), seconds)
    return "=" + value if outcome == "done" else outcome


def held(text: str, names: dict[str, Any], seconds: float) -> str:
    outcome, _ = limited(lambda: exec(text, names), seconds)
    return {"done": "passed", "raised AssertionError": "failed"}.get(outcome, outcome)


def seen(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What a call gave back; of one that gives nothing back, what it made of its arguments."""
    value = function(*arguments, **named)
    return [list(arguments), named] if value is None else value


class Late(BaseException):
    """The time of one call is over."""


def limited(work: Callable[[], Any], seconds: float) -> tuple[str, Any]:
    def late(*_: object) -> None:
        raise Late

    random.seed(0)
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        return "done", work()
    except Late:
        return "late", None
    except BaseException as error:  # noqa: BLE001 - the candidate's code may raise anything, here it becomes a word
        return f"raised {type(error).__name__}", None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def digest(value: object) -> str:
    return hashlib.sha256(canonical(value, DEEPEST).encode("utf-8", "replace")).hexdigest()[:16]


def canonical(value: Any, deep: int) -> str:
    """A text that is equal for values that are `==`, as far as plain ones go; others by their type and attributes."""
    if not deep:
        return "..."
    kind: Any = type(value)
    if kind in (bool, int) or (kind is float and value == value and abs(value) < 2**53 and value == int(value)):
        return hex(int(value))
    if kind is float:
        return f"{value:.10g}"
    if kind in (list, tuple):
        return str(kind.__name__) + "[" + ",".join(canonical(v, deep - 1) for v in value[:LONGEST]) + "]"
    if kind in (set, frozenset):
        return "set{" + ",".join(sorted(canonical(v, deep - 1) for v in value)) + "}"
    if isinstance(value, dict):
        rows = (f"{canonical(k, deep - 1)}:{canonical(v, deep - 1)}" for k, v in value.items())
        return "dict{" + ",".join(sorted(rows)) + "}"
    if hasattr(kind, "__next__"):
        return "iterator" + canonical(list(itertools.islice(value, LONGEST)), deep - 1)
    if kind.__repr__ is object.__repr__:
        return str(kind.__name__) + canonical(getattr(value, "__dict__", None), deep - 1)
    return ADDRESS.sub("0x", repr(value))


class Nowhere:
    """Takes what a candidate prints."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def answer(request: dict[str, Any]) -> None:
    printed, sys.stdout = sys.stdout, cast(TextIO, Nowhere())
    try:
        found = probe(request)
    finally:
        sys.stdout = printed
    print("\n" + json.dumps(found))

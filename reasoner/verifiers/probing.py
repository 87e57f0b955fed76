"""Ask a candidate in its own world what it gives back and which statements hold of it: one call of the interpreter.

What comes out was written by the candidate's process: it is checked for its form and believed no further.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from reasoner.ledger import Cost
from reasoner.protocols import Scene
from reasoner.tree import Node
from reasoner.types import ToolCall

EACH_S = 1.0
"""Seconds that one call or statement may take."""
_TOTAL_S = 8.0
_DETAIL = 200


@dataclass(frozen=True)
class Outcomes:
    """One word for each call, then for each statement: "=" with a digest, "passed", "failed", "raised NAME", "late",
    "not run". None at all, and an error, where the candidate could not be imported or took its interpreter down."""

    words: tuple[str, ...] = ()
    error: str = ""


async def probe(
    scene: Scene, node: Node, imports: Sequence[str], *, calls: Sequence[str] = (), asserts: Sequence[str] = ()
) -> Outcomes:
    """Run `imports`, then each call and each statement, at the node's snapshot, which stays as it is. Raises
    `SandboxError`."""
    total = min(_TOTAL_S, 0.8 * scene.limits.wall_s)
    request = {"imports": [*imports], "calls": [*calls], "asserts": [*asserts], "each_s": EACH_S, "total_s": total}
    code = f"{_program()}\nanswer(json.loads({json.dumps(json.dumps(request))}))\n"
    limits = replace(scene.limits, wall_s=total + 2 * EACH_S)
    result, after = await scene.tools.call(scene.world, node.world, ToolCall("python", {"code": code}), limits)
    scene.ledger.charge(Cost(tool_calls=1, tool_cpu_s=result.cpu_s))
    if after != node.world:
        await scene.world.release(after)
    if result.error:
        return Outcomes(error=f"{result.error}: {result.detail}"[:_DETAIL])
    return _read(result.output, len(calls) + len(asserts))


def _read(output: str, count: int) -> Outcomes:
    try:
        said = json.loads(output.strip().rpartition("\n")[2])
        words, error = said["outcomes"], said["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Outcomes(error="the candidate's process gave no answer")
    if not isinstance(error, str) or not isinstance(words, list) or not all(isinstance(w, str) for w in words):
        return Outcomes(error="the candidate's process gave an answer that cannot be read")
    if error or len(words) != count:
        return Outcomes(error=(error or "the candidate's process answered something else")[:_DETAIL])
    return Outcomes(tuple(word[:_DETAIL] for word in words))


@cache
def _program() -> str:
    return Path(__file__).with_name("inside.py").read_text(encoding="utf-8")

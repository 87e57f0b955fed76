"""Tests of a task that the core writes itself, once a task, before it knows any candidate. Who needs them first has
them written, and is charged for them.

Pure but for the one completion: what is written is parsed, never run here.
"""

import ast
import asyncio
from dataclasses import dataclass, field

from reasoner.completions import Sampling
from reasoner.dialect.prompts import prompt
from reasoner.dialect.turns import Turns
from reasoner.protocols import Scene
from reasoner.tree import PerTree, derive_seed
from reasoner.verifiers.inputs import PLAIN, inputs

_BEGUN = "```python\nassert "


@dataclass
class _Kept:
    """One task's tests, None until they are written; who writes them holds the lock."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tests: tuple[str, ...] | None = None


@dataclass(frozen=True)
class OwnTests:
    """`count` asserts are asked for in one completion of `tokens` tokens, and up to twice as many are taken."""

    count: int = 8
    tokens: int = 320
    temperature: float = 0.7
    _written: PerTree[_Kept] = field(default_factory=lambda: PerTree(_Kept), compare=False, repr=False)

    async def of(self, scene: Scene) -> tuple[str, ...]:
        """The task's tests; none where nobody knows what a candidate is called, or nothing usable was written."""
        kept = self._written[scene.tree]
        async with kept.lock:
            if kept.tests is None:
                kept.tests = await self._write(scene)
        return kept.tests

    async def _write(self, scene: Scene) -> tuple[str, ...]:
        names = inputs(scene.task, 0).names
        if not names:
            return ()
        turns = Turns(scene.core.tokenizer)
        opening = turns.answering("\n\n" + prompt("self_tests", count=self.count), _BEGUN).ids
        seed = derive_seed(scene.tree.seed, scene.tree.task, scene.tree.root, -1)
        ends = tuple(scene.core.tokenizer.ends)
        sampling = Sampling(self.temperature, seed=seed, max_tokens=self.tokens, stop_ids=ends, stop=("\n```",))
        written = await scene.core.complete([*scene.tree.ids(scene.tree.root), *opening], sampling)
        scene.charge(written.usage)
        shown = scene.task.visible.asserts if scene.task.visible else ()
        return tuple(usable(_BEGUN + written.text, names, shown)[: 2 * self.count])


def usable(text: str, names: frozenset[str], shown: tuple[str, ...] = ()) -> list[str]:
    """The asserts of a text that use nothing but the candidate's `names` and plain builtins, each once, without those
    that were `shown`."""
    known = {_plain(line) for line in shown}
    found: dict[str, None] = {}
    for line in text.splitlines():
        test = _plain(line)
        if test and test not in known and names & (used := _names(test)) and used <= names | PLAIN:
            found[test] = None
    return list(found)


def _plain(line: str) -> str:
    """An assert as Python writes it, without its message; empty for any other line."""
    try:
        (statement,) = ast.parse(line.strip()).body
        return ast.unparse(ast.Assert(statement.test)) if isinstance(statement, ast.Assert) else ""
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def _names(test: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(test)) if isinstance(node, ast.Name)}

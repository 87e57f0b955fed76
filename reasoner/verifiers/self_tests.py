"""Tests that the core writes itself, once a task, before it knows any candidate: candidates that pass the same of them
agree with each other, and with those tests.

Tests of a small core are wrong half the time, so what counts is the agreement, not the number that pass.
"""

import ast
import asyncio
from collections import Counter
from dataclasses import dataclass, field

from reasoner.dialect.prompts import prompt
from reasoner.dialect.turns import Turns
from reasoner.ledger import Cost
from reasoner.protocols import Scene
from reasoner.tree import Node, PerTree, Tree, derive_seed
from reasoner.types import NodeId, Sampling, Verdict
from reasoner.verifiers.inputs import PLAIN, Inputs, inputs
from reasoner.verifiers.probing import probe

SOURCE = "self_tests"
_BEGUN = "```python\nassert "


@dataclass
class _Own:
    """One task's tests, None until they are written; who writes them holds the lock."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: Inputs = Inputs()
    tests: list[str] | None = None


@dataclass(frozen=True)
class SelfTests:
    """Dual agreement of candidates and tests (CodeT, Chen et al., 2207.10397, section 2.2). The score is the share of
    the tests that pass, the key says which; `agreement` makes of the keys what CodeT ranks by.

    `count` tests are asked for in one completion of `tokens` tokens. The first candidate's branch is charged for them.
    """

    count: int = 8
    tokens: int = 320
    temperature: float = 0.7
    _written: PerTree[_Own] = field(default_factory=lambda: PerTree(_Own), compare=False, repr=False)

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if scene.task.is_question or node.step("act") is None or node.step("malformed"):
            return None
        own = self._written[scene.tree]
        async with own.lock:
            if own.tests is None:
                own.asked = inputs(scene.task, 0)
                own.tests = await self._write(scene, own.asked)
        if not own.tests:
            return None
        found = await probe(scene, node, own.asked.imports, asserts=own.tests)
        if found.error:
            return Verdict(0.0, SOURCE, found.error)
        bits = "".join("1" if word == "passed" else "0" for word in found.words)
        passed = bits.count("1")
        return Verdict(passed / len(bits), SOURCE, f"{passed} of {len(bits)} own tests pass", bits if passed else "")

    async def _write(self, scene: Scene, asked: Inputs) -> list[str]:
        if not asked.names:
            return []
        turns = Turns(scene.core.tokenizer)
        opening = turns.answering("\n\n" + prompt("self_tests", count=self.count), _BEGUN).ids
        seed = derive_seed(scene.tree.seed, scene.tree.task, scene.tree.root, -1)
        ends = tuple(scene.core.tokenizer.ends)
        sampling = Sampling(self.temperature, seed=seed, max_tokens=self.tokens, stop_ids=ends, stop=("\n```",))
        written = await scene.core.complete([*scene.tree.ids(scene.tree.root), *opening], sampling)
        scene.ledger.charge(Cost(verifier=written.usage.prefilled + written.usage.decoded))
        shown = scene.task.visible.asserts if scene.task.visible else ()
        return usable(_BEGUN + written.text, asked.names, shown)[: 2 * self.count]


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


def agreement(tree: Tree, source: str = SOURCE) -> dict[NodeId, float]:
    """By node, the score of its consensus set: the candidates that pass the same tests times those tests, as a share of
    all candidates times all tests; 0 for candidates that pass none."""
    keys = {n.id: v.key for n in tree.nodes for v in n.verdicts if v.source == source}
    together = Counter(keys.values())
    most = len(keys) * max((len(key) for key in keys.values()), default=0)
    return {node: together[key] * key.count("1") / most if most else 0.0 for node, key in keys.items()}


def _plain(line: str) -> str:
    """An assert as Python writes it, without its message; empty for any other line."""
    try:
        (statement,) = ast.parse(line.strip()).body
        return ast.unparse(ast.Assert(statement.test)) if isinstance(statement, ast.Assert) else ""
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def _names(test: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(test)) if isinstance(node, ast.Name)}

"""What a candidate does, as its vote: candidates that give the same on the same calls are one answer, however they are
written (AlphaCode's clustering, Li et al., 2203.07814, section 4.6; Shi et al., 2204.11454, section 3)."""

import hashlib
from dataclasses import dataclass, field

from reasoner.protocols import Scene
from reasoner.tree import Node, PerTree
from reasoner.types import Verdict
from reasoner.verifiers.inputs import Inputs, inputs
from reasoner.verifiers.own_tests import OwnTests
from reasoner.verifiers.probing import probe

SOURCE = "behaviour"
_FEWEST = 2
"""Calls that tell candidates apart: with one, such as a constructor's, all are alike."""


@dataclass(frozen=True)
class Behaviour:
    """Scores the share of `count` calls that came back with a value. One that never does has no vote: that candidates
    fail alike says nothing for them. Where the visible tests hold too few calls, or there are none, those of the tests
    that the core writes itself are made too; what such a test expects is left out, so it may well be wrong."""

    count: int = 12
    own: OwnTests = field(default_factory=OwnTests)
    _asked: PerTree[list[Inputs]] = field(default_factory=lambda: PerTree(list), compare=False, repr=False)

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if scene.task.is_question or node.step("act") is None or node.step("malformed"):
            return None
        asked = await self._inputs(scene)
        if len(asked.calls) < _FEWEST:
            return None
        found = await probe(scene, node, asked.imports, calls=asked.calls)
        if found.error:
            return Verdict(0.0, SOURCE, found.error)
        returned = sum(word.startswith("=") for word in found.words)
        key = hashlib.sha256("\n".join(found.words).encode()).hexdigest()[:16] if returned else ""
        return Verdict(returned / len(found.words), SOURCE, f"{returned} of {len(found.words)} calls returned", key)

    async def _inputs(self, scene: Scene) -> Inputs:
        """What all candidates of a task are tried with: worked out once."""
        known = self._asked[scene.tree]
        if not known:
            asked = inputs(scene.task, self.count)
            if len(asked.calls) < _FEWEST:
                asked = inputs(scene.task, self.count, await self.own.of(scene))
            known.append(asked)
        return known[0]

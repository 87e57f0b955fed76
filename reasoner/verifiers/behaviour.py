"""What a candidate does, as its vote: candidates that give the same on the same calls are one answer, however they are
written (AlphaCode's clustering, Li et al., 2203.07814, section 4.6; Shi et al., 2204.11454, section 3)."""

import hashlib
from dataclasses import dataclass, field

from reasoner.protocols import Scene
from reasoner.tree import Node, PerTree
from reasoner.types import Verdict
from reasoner.verifiers.inputs import Inputs, inputs
from reasoner.verifiers.probing import probe

SOURCE = "behaviour"
_FEWEST = 2
"""Calls that tell candidates apart: with one, such as a constructor's, all are alike."""


@dataclass(frozen=True)
class Behaviour:
    """Scores the share of `count` calls that came back with a value. One that never does has no vote: that candidates
    fail alike says nothing for them."""

    count: int = 12
    _asked: PerTree[list[Inputs]] = field(default_factory=lambda: PerTree(list), compare=False, repr=False)

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if node.step("act") is None or node.step("malformed"):
            return None
        known = self._asked[scene.tree]
        if not known:
            known.append(inputs(scene.task, self.count))
        (asked,) = known
        if len(asked.calls) < _FEWEST:
            return None
        found = await probe(scene, node, asked.imports, calls=asked.calls)
        if found.error:
            return Verdict(0.0, SOURCE, found.error)
        returned = sum(word.startswith("=") for word in found.words)
        key = hashlib.sha256("\n".join(found.words).encode()).hexdigest()[:16] if returned else ""
        return Verdict(returned / len(found.words), SOURCE, f"{returned} of {len(found.words)} calls returned", key)

"""A reward head: a trained reading of the core's own hidden state. Where heads come from is the core's business."""

from dataclasses import dataclass
from typing import Literal

from reasoner.ledger import Cost
from reasoner.protocols import Scene
from reasoner.tree import Node
from reasoner.types import Verdict

KINDS = {"outcome": "reward", "step": "step"}
"""What a head looks at -> how its source begins, as it is asked for: `reward:HEAD`, `step:HEAD`."""


@dataclass(frozen=True)
class Reward:
    """`head` by its name. An outcome head looks at finished solutions (Cobbe et al., 2110.14168, section 4.1), a step
    head at every step (Lightman et al., 2305.20050, section 2.6). A core that has no hidden state to read says nothing.

    Charged is one token: all before the last position is kept by the core.
    """

    head: str
    each: Literal["outcome", "step"] = "outcome"

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if not scene.core.info.can_value or node.parent is None:
            return None
        if self.each == "outcome" and not (node.step("act") or node.step("answer")):
            return None
        value = await scene.core.value([*scene.tree.ids(node.parent), *node.ids], self.head)
        scene.ledger.charge(Cost(verifier=1))
        return Verdict(value, f"{KINDS[self.each]}:{self.head}")

"""A reward head: a trained reading of the core's own hidden state. Where heads come from is the core's business."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reasoner.protocols import Scene
from reasoner.tree import Node
from reasoner.types import Step, Verdict

KINDS = {"outcome": "reward", "step": "step"}
"""What a head looks at -> how its source begins, as it is asked for: `reward:HEAD`, `step:HEAD`."""


@dataclass(frozen=True)
class Reward:
    """`head` by its name. An outcome head looks at solutions before their tests say anything (Cobbe et al., 2110.14168,
    section 4.1), a step head at every step (Lightman et al., 2305.20050, section 2.6). A core without heads says
    nothing."""

    head: str
    each: Literal["outcome", "step"] = "outcome"

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if not scene.core.info.heads or node.parent is None:
            return None
        own = node.steps if self.each == "step" else _solution(node)
        if not own:
            return None
        ids = [i for step in own for i in step.ids]
        found = await scene.core.value([*scene.tree.ids(node.parent), *ids], self.head)
        scene.charge(found.usage)
        return Verdict(found.value, f"{KINDS[self.each]}:{self.head}")


def _solution(node: Node) -> Sequence[Step]:
    """The steps up to the last code or answer, before anything was said of it."""
    ends = [at for at, step in enumerate(node.steps, 1) if step.kind in ("act", "answer")]
    return node.steps[: ends[-1]] if ends else ()

"""How sure the core was of what it wrote, from the log-probabilities of its own tokens. It costs nothing.

A core is surer of what it has seen often, not of what is right: the score ranks samples of one task, and says little
before it is calibrated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, fsum

from reasoner.protocols import Scene
from reasoner.tree import Node, Tree
from reasoner.types import StepKind, Verdict

SOURCE = "certainty"
LOWEST = "lowest"
WINDOW = 32
"""Tokens in which a weak stretch is looked for."""
_WRITTEN: frozenset[StepKind] = frozenset({"think", "act", "answer"})


@dataclass(frozen=True)
class Certainty:
    """The geometric mean of the tokens' probabilities, 0..1.

    With a `window`, the lowest mean of so many tokens in a row instead (DeepConf's lowest group confidence, Fu et al.,
    2508.15260, section 3.1, with the sampled token's own log-probability in place of the mean over the top k, which
    cores do not return): one weak stretch is a better sign of a mistake than a low mean.
    """

    window: int | None = None

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if not (node.step("act") or node.step("answer")):
            return None
        logprobs = [p for step in trajectory(scene.tree, node) for p in step]
        if not logprobs:
            return None
        if self.window is None:
            return Verdict(exp(min(0.0, mean(logprobs))), SOURCE, f"{len(logprobs)} tokens")
        at, low = lowest(logprobs, self.window)
        return Verdict(exp(min(0.0, low)), LOWEST, f"from token {at} of {len(logprobs)}")


def trajectory(tree: Tree, node: Node) -> Iterator[tuple[float, ...]]:
    """Log-probabilities, span after span, of all that a solution consists of: a node's own steps, and those of the
    nodes that it continues."""
    line = [node]
    while line[-1].move == "continue" and line[-1].parent is not None:
        line.append(tree[line[-1].parent])
    for one in reversed(line):
        for step in one.steps:
            if step.kind in _WRITTEN:
                yield from (span.logprobs for span in step.spans)


def mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def lowest(values: Sequence[float], window: int) -> tuple[int, float]:
    """Where the `window` values in a row with the lowest mean begin, and that mean; of fewer values, all."""
    size = max(1, min(window, len(values)))
    total = fsum(values[:size])
    at, low = 0, total
    for start in range(1, len(values) - size + 1):
        total += values[start + size - 1] - values[start - 1]
        if total < low:
            at, low = start, total
    return at, low / size

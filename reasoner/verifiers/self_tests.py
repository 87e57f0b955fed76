"""How a candidate does on the tests that the core writes itself: candidates that pass the same of them agree with each
other, and with those tests.

Tests of a small core are wrong half the time, so what counts is the agreement, not the number that pass.
"""

from dataclasses import dataclass, field

from reasoner.protocols import Scene
from reasoner.tree import Node, Tree
from reasoner.types import NodeId, Verdict
from reasoner.verifiers.inputs import inputs
from reasoner.verifiers.own_tests import OwnTests
from reasoner.verifiers.probing import probe

SOURCE = "self_tests"


@dataclass(frozen=True)
class SelfTests:
    """Dual agreement of candidates and tests (CodeT, Chen et al., 2207.10397, section 2.2). The score is the share of
    the tests that pass, the key says which: a vote whose weight is its score, so that the heaviest answer is what CodeT
    ranks highest."""

    own: OwnTests = field(default_factory=OwnTests)

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if scene.task.is_question or node.step("act") is None or node.step("malformed"):
            return None
        tests = await self.own.of(scene)
        if not tests:
            return None
        found = await probe(scene, node, inputs(scene.task, 0).imports, asserts=tests)
        if found.error:
            return Verdict(0.0, SOURCE, found.error)
        bits = "".join("1" if word == "passed" else "0" for word in found.words)
        passed = bits.count("1")
        return Verdict(passed / len(bits), SOURCE, f"{passed} of {len(bits)} own tests pass", bits if passed else "")


def agreement(tree: Tree, node: NodeId) -> float:
    """The score of a node's consensus set: the candidates that pass the same tests times those tests, as a share of all
    candidates times all tests; 0 for one that passes none. A set's scores add up to that product over all tests."""
    key = next((verdict.key for verdict in tree[node].verdicts if verdict.source == SOURCE), "")
    if not key:
        return 0.0
    return tree.poll(SOURCE).ballots[key].weights[SOURCE] / tree.sums(tree.root).tallies[SOURCE].count

"""What a tree is made of: nodes, which stand for ever, and the heads that grow into them."""

from dataclasses import dataclass

from reasoner.ledger import Cost
from reasoner.types import Expand, Move, NodeId, SnapshotId, Step, StepKind, Verdict


@dataclass(frozen=True)
class Node:
    """A finished head: what it added to its parent's tokens, and the world it left."""

    id: NodeId
    parent: NodeId | None
    move: Move | None
    """What made it; None for the root."""
    steps: tuple[Step, ...]
    world: SnapshotId
    verdicts: tuple[Verdict, ...] = ()
    cost: Cost = Cost()
    learnt: NodeId | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(i for step in self.steps for i in step.ids)

    def step(self, kind: StepKind) -> Step | None:
        """The last step of that kind, if there is one."""
        return next((s for s in reversed(self.steps) if s.kind == kind), None)

    def score(self, source: str) -> float | None:
        return next((v.score for v in reversed(self.verdicts) if v.source == source), None)


@dataclass(frozen=True)
class Head:
    """A branch that is growing. `ordinal` counts the heads opened at its node, `seed` derives from both."""

    id: int
    expand: Expand
    ordinal: int
    seed: int

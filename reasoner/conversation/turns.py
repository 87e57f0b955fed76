"""The records of a conversation: a turn with its tree, and a place from which another turn can go on."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from reasoner.errors import ReasonerError
from reasoner.ledger import Cost
from reasoner.tree import Node, Tree
from reasoner.types import Files, NodeId, Result, Step


@dataclass(frozen=True)
class Place:
    """Inside a turn's tree: a node, or the first `steps` steps of one."""

    turn: int
    node: NodeId
    steps: int | None = None


@dataclass(frozen=True)
class Stop:
    """A place that can be gone back to, after which `step` was done, with what its call said if it made one."""

    place: Place
    step: Step
    heard: Step | None = None


@dataclass(eq=False)
class Turn:
    """What a person said and what came of it. `base` is where it hangs from, None for the first of all."""

    id: int
    base: Place | None
    words: str
    files: Files
    tree: Tree
    result: Result | None = None
    end: Place | None = None
    """Where the next turn goes on; None while nothing came of this one."""
    spent: Cost = field(default_factory=Cost)
    kept: tuple[int, ...] | None = None
    """The turns that stand word for word before this one; None where all do that stand so before its base."""

    @property
    def said(self) -> str:
        """The answer as it was written, without the blocks before it; empty when there is none."""
        step = self.tree[self.end.node].step("answer") if self.end else None
        return step.text.strip() if step else ""

    @property
    def steps(self) -> list[Step]:
        """All steps from the words to the end."""
        return [step for _, _, step in self._walk()]

    def stops(self) -> list[Stop]:
        """The places on the way to the end, in order. A block and what it printed are one."""
        found: list[Stop] = []
        walked = list(self._walk())
        for at, (node, count, step) in enumerate(walked):
            following = walked[at + 1][2] if at + 1 < len(walked) else None
            if following and following.kind == "observe":
                continue
            place = Place(self.id, node.id, None if count == len(node.steps) else count)
            if step.kind == "observe" and at:
                found.append(Stop(place, walked[at - 1][2], step))
            else:
                found.append(Stop(place, step))
        return found

    def _walk(self) -> Iterator[tuple[Node, int, Step]]:
        """(node, how many of its steps, the last of those) up to the end."""
        if self.end is None:
            return
        for node in self.tree.path(self.end.node):
            whole = node.id != self.end.node or self.end.steps is None
            for count, step in enumerate(node.steps if whole else node.steps[: self.end.steps], 1):
                if node.parent is not None:
                    yield node, count, step


class NoPlace(ReasonerError):
    """There is no such turn or step in this conversation."""

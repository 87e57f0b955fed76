"""The search tree: append-only nodes, each a pair (tokens, world), and the heads that are growing.

Nothing is ever undone because nothing is ever overwritten: a backtrack chooses an earlier node. The tree knows nothing
of cores, sandboxes or templates; it can be rebuilt from a trace alone.
"""

import hashlib
from bisect import insort
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

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


@dataclass
class Tree:
    """Append-only. `seed` is the run's seed; `task` names the task, so two tasks never share a stream of samples."""

    task: str
    seed: int = 0
    nodes: list[Node] = field(default_factory=list)
    _heads: dict[int, Head] = field(default_factory=dict)
    _opened: Counter[Move] = field(default_factory=Counter)
    _ordinals: dict[NodeId, int] = field(default_factory=dict)
    _children: dict[NodeId, list[NodeId]] = field(default_factory=dict)
    _ranked: dict[str, list[tuple[float, NodeId]]] = field(default_factory=dict)
    _rewinds: Counter[NodeId] = field(default_factory=Counter)
    _last: dict[Move, NodeId] = field(default_factory=dict)

    def plant(self, steps: Sequence[Step], world: SnapshotId) -> NodeId:
        """Add the root: the task as the dialect renders it, and the world with the task's files."""
        assert not self.nodes, "a tree has one root"
        return self._append(Node(0, None, None, tuple(steps), world))

    def opened(self, expand: Expand) -> Head:
        """Record that a head grows now."""
        ordinal = self._ordinals.get(expand.node, 0)
        self._ordinals[expand.node] = ordinal + 1
        head = Head(self._opened.total(), expand, ordinal, derive_seed(self.seed, self.task, expand.node, ordinal))
        self._opened[expand.move] += 1
        if expand.kept:
            self._rewinds[expand.kept.node] += 1
        self._heads[head.id] = head
        return head

    def reopened(self, head: Head) -> Head:
        """Let a head that was dropped grow once more, as itself: same ordinal, same seed."""
        self._heads[head.id] = head
        return head

    def add(
        self, head: Head, steps: Sequence[Step], world: SnapshotId, verdicts: Sequence[Verdict], cost: Cost
    ) -> NodeId:
        """Turn a head into a node."""
        del self._heads[head.id]
        expand = head.expand
        return self._append(
            Node(len(self.nodes), expand.node, expand.move, tuple(steps), world, tuple(verdicts), cost, expand.learnt)
        )

    def drop(self, head: Head) -> None:
        """Forget a head that was cancelled or failed; its ordinal is not used again."""
        self._heads.pop(head.id, None)

    def _append(self, node: Node) -> NodeId:
        self.nodes.append(node)
        if node.parent is not None:
            self._children.setdefault(node.parent, []).append(node.id)
        if node.move is not None:
            self._last[node.move] = node.id
        for verdict in node.verdicts:
            insort(self._ranked.setdefault(verdict.source, []), (-verdict.score, node.id))
        return node.id

    def __getitem__(self, node: NodeId) -> Node:
        return self.nodes[node]

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def root(self) -> NodeId:
        return 0

    @property
    def in_flight(self) -> list[Head]:
        return list(self._heads.values())

    def opened_as(self, *moves: Move) -> int:
        """How many heads were ever opened with one of these moves."""
        return sum(self._opened[move] for move in moves)

    def last(self, move: Move) -> NodeId | None:
        """The node that this move added last."""
        return self._last.get(move)

    def children(self, node: NodeId) -> list[NodeId]:
        return list(self._children.get(node, ()))

    def best(self, source: str) -> NodeId | None:
        """The node that this source scores highest, the earliest of equals."""
        return next(iter(self.top(source, 1)), None)

    def top(self, source: str, count: int) -> list[NodeId]:
        """The `count` nodes that this source scores highest, best first, earlier before later."""
        return [node for _, node in self._ranked.get(source, [])[:count]]

    def rewinds(self, node: NodeId) -> int:
        """How many heads began with a part of this node's code."""
        return self._rewinds[node]

    def path(self, node: NodeId) -> Iterator[Node]:
        """From the root to `node`."""
        line = []
        at: NodeId | None = node
        while at is not None:
            line.append(self.nodes[at])
            at = self.nodes[at].parent
        return reversed(line)

    def ids(self, node: NodeId) -> list[int]:
        """The exact tokens from the root to `node`."""
        return [i for n in self.path(node) for i in n.ids]


def derive_seed(run: int, task: str, parent: NodeId, ordinal: int) -> int:
    """A 63-bit seed that depends on where a head hangs, never on when it arrived."""
    text = f"{run}\0{task}\0{parent}\0{ordinal}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1

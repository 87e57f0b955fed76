"""The search tree: append-only nodes, each a pair (tokens, world), and the heads that are growing.

Nothing is ever undone because nothing is ever overwritten: a backtrack chooses an earlier node. The tree knows nothing
of cores, sandboxes or templates; it can be rebuilt from a trace alone.

Strategies and stopping policies are asked after every node, so whatever they need of the past is kept as a running sum:
an addition costs as many sums as the node has ancestors, a question costs no walk over finished nodes.
"""

import hashlib
from bisect import insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from reasoner.ledger import Cost
from reasoner.tree.node import Head, Node
from reasoner.tree.polls import Poll
from reasoner.tree.sums import Sums, Tally
from reasoner.types import Expand, Move, NodeId, SnapshotId, Step, Verdict

_DECISIVE = "visible"
"""The source whose full score ends a branch: all visible tests pass."""


@dataclass
class Tree:
    """Append-only. `seed` is the run's seed; `task` names the task, so two tasks never share a stream of samples."""

    task: str
    seed: int = 0
    nodes: list[Node] = field(default_factory=list)
    _heads: dict[int, Head] = field(default_factory=dict)
    _opened: Counter[Move] = field(default_factory=Counter)
    _ordinals: dict[NodeId, int] = field(default_factory=dict)
    _sums: list[Sums] = field(default_factory=list)
    _levels: list[list[NodeId]] = field(default_factory=list)
    _closed: set[NodeId] = field(default_factory=set)
    _ends: Counter[int] = field(default_factory=Counter)
    _texts: set[tuple[NodeId | None, int]] = field(default_factory=set)
    _echoes: set[NodeId] = field(default_factory=set)
    _candidates: int = 0
    _dropped: int = 0
    _polls: dict[str, Poll] = field(default_factory=dict)
    _votes: dict[str, Poll] = field(default_factory=dict)
    _highest: float = -1.0
    _ranked: dict[str, list[tuple[float, NodeId]]] = field(default_factory=dict)
    _rewinds: Counter[NodeId] = field(default_factory=Counter)
    _last: dict[Move, NodeId] = field(default_factory=dict)
    _made: dict[NodeId, Expand] = field(default_factory=dict)
    _followed: set[NodeId] = field(default_factory=set)

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
        if expand.move == "follow":
            self._followed.add(expand.node if expand.learnt is None else expand.learnt)
        self._fly(head)
        return head

    def reopened(self, head: Head) -> Head:
        """Let a head that was dropped grow once more, as itself: same ordinal, same seed."""
        self._fly(head)
        return head

    def add(
        self, head: Head, steps: Sequence[Step], world: SnapshotId, verdicts: Sequence[Verdict], cost: Cost
    ) -> NodeId:
        """Turn a head into a node."""
        self._land(self._heads.pop(head.id))
        expand = self._made[len(self.nodes)] = head.expand
        return self._append(
            Node(len(self.nodes), expand.node, expand.move, tuple(steps), world, tuple(verdicts), cost, expand.learnt)
        )

    def drop(self, head: Head) -> None:
        """Forget a head that was cancelled or failed; its ordinal is not used again."""
        if self._heads.pop(head.id, None):
            self._land(head)
            self._dropped += 1

    def _fly(self, head: Head) -> None:
        self._heads[head.id] = head
        self._count(head.expand.node, 1)

    def _land(self, head: Head) -> None:
        self._count(head.expand.node, -1)

    def _count(self, node: NodeId, heads: int) -> None:
        self._sums[node].growing += heads
        at: NodeId | None = node
        while at is not None:
            self._sums[at].flying += heads
            at = self.nodes[at].parent

    def _append(self, node: Node) -> NodeId:
        self.nodes.append(node)
        self._place(node)
        self._back_up(node)
        self._sort(node)
        if node.move is not None:
            self._last[node.move] = node.id
        scores = self._sums[node.id].scores
        for source, score in scores.items():
            insort(self._ranked.setdefault(source, []), (-score, node.id))
        self._count_votes(node, scores)
        return node.id

    def _count_votes(self, node: Node, scores: Mapping[str, float]) -> None:
        """A node that the tests score higher than all before it makes their votes void."""
        score = scores.get(_DECISIVE, -1.0)
        if score > self._highest:
            self._highest = score
            self._votes.clear()
        counting = (self._polls, self._votes) if score == self._highest else (self._polls,)
        for verdict in node.verdicts:
            for polls in counting if verdict.key else ():
                polls.setdefault(verdict.source, Poll()).add(verdict.key, node.id, scores)

    def _place(self, node: Node) -> None:
        """Give a node its place below its parent."""
        above = self._sums[node.parent] if node.parent is not None else None
        sums = Sums.of(node, above)
        if above:
            above.children.append(node.id)
        self._sums.append(sums)
        if sums.depth == len(self._levels):
            self._levels.append([])
        self._levels[sums.depth].append(node.id)

    def _back_up(self, node: Node) -> None:
        """Add a node's scores to itself and to all above it, and its visit to those."""
        own = self._sums[node.id]
        at: NodeId | None = node.id
        while at is not None:
            sums = self._sums[at]
            sums.visits += sums is not own
            for source, score in own.scores.items():
                sums.tallies.setdefault(source, Tally()).add(score)
            at = self.nodes[at].parent

    def _sort(self, node: Node) -> None:
        """Whether a node is a candidate, an end, or one that is there already."""
        judged = node.score(_DECISIVE)
        text = node.parent, hash(node.ids)
        if node.step("answer") or judged is not None:
            self._candidates += 1
        if text in self._texts:
            self._echoes.add(node.id)
        self._texts.add(text)
        if node.step("answer") or judged == 1.0:
            self._closed.add(node.id)
            self._ends[self._sums[node.id].depth] += 1
        elif node.steps and node.steps[-1].kind == "backtrack":
            self._closed.add(node.id)

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

    @property
    def dropped(self) -> int:
        """How many times a head was dropped."""
        return self._dropped

    def opened_as(self, *moves: Move) -> int:
        """How many heads were ever opened with one of these moves."""
        return sum(self._opened[move] for move in moves)

    def last(self, move: Move) -> NodeId | None:
        """The node that this move added last."""
        return self._last.get(move)

    def children(self, node: NodeId) -> list[NodeId]:
        return list(self._sums[node].children)

    def sums(self, node: NodeId) -> Sums:
        """The running sums of a node, to be read only."""
        return self._sums[node]

    def grown(self, node: NodeId) -> int:
        """How many children a node has, with those that are growing."""
        sums = self._sums[node]
        return len(sums.children) + sums.growing

    def score(self, node: NodeId, source: str) -> float | None:
        """What a source gave to a node itself."""
        return self._sums[node].scores.get(source)

    def mean(self, node: NodeId, source: str) -> float | None:
        """What a source gave on average to a node and those below it; None where it said nothing."""
        tally = self._sums[node].tallies.get(source)
        return tally.mean if tally else None

    def along(self, node: NodeId, source: str) -> float | None:
        """What a source gave on average to a node and those above it; None where it said nothing."""
        tally = self._sums[node].line.get(source)
        return tally.mean if tally else None

    def span(self, source: str) -> tuple[float, float]:
        """The lowest and the highest score that a source gave; (0, 0) where it gave none."""
        ranked = self._ranked.get(source)
        return (-ranked[-1][0], -ranked[0][0]) if ranked else (0.0, 0.0)

    def level(self, depth: int) -> Sequence[NodeId]:
        """The nodes that are `depth` moves below the root, in the order they were added."""
        return self._levels[depth] if depth < len(self._levels) else ()

    @property
    def depth(self) -> int:
        """Moves on the longest path."""
        return len(self._levels) - 1

    def closed(self, node: NodeId) -> bool:
        """Whether a branch is at its end: it holds an answer, passes all visible tests, or was given up by its core."""
        return node in self._closed

    def ends(self, depth: int) -> int:
        """How many nodes that hold an answer or pass all visible tests are `depth` moves below the root."""
        return self._ends[depth]

    def echoes(self, node: NodeId) -> bool:
        """Whether an earlier child of the same parent has the very same tokens."""
        return node in self._echoes

    @property
    def solved(self) -> bool:
        """Whether some attempt passes all visible tests."""
        return self.span(_DECISIVE)[1] == 1.0

    @property
    def candidates(self) -> int:
        """How many nodes could be answered with: they hold an answer, or were tested."""
        return self._candidates

    def poll(self, source: str) -> Poll:
        """The votes by the keys of this source's verdicts, to be read only."""
        return self._polls.get(source) or Poll()

    def votes(self, source: str) -> Poll:
        """The votes that count: of the nodes that no visible test scores lower than another; of all where none was
        tested. To be read only."""
        return self._votes.get(source) or Poll()

    @property
    def failing(self) -> bool:
        """Whether attempts were tested, and none of them passes all visible tests."""
        return 0.0 <= self._highest < 1.0

    def best(self, source: str) -> NodeId | None:
        """The node that this source scores highest, the earliest of equals."""
        return next(self.ranked(source), None)

    def top(self, source: str, count: int) -> list[NodeId]:
        """The `count` nodes that this source scores highest, best first, earlier before later."""
        return list(islice(self.ranked(source), count))

    def ranked(self, source: str) -> Iterator[NodeId]:
        """The nodes that this source scored, best first, earlier before later."""
        return (node for _, node in self._ranked.get(source, ()))

    def rewinds(self, node: NodeId) -> int:
        """How many heads began with a part of this node's code."""
        return self._rewinds[node]

    def expand(self, node: NodeId) -> Expand | None:
        """The order that a node was made by; None for the root."""
        return self._made.get(node)

    def followed(self, node: NodeId) -> bool:
        """Whether a head was opened to go on with the attempt that this node is the end of."""
        return node in self._followed

    def observed(self, node: NodeId, number: int) -> NodeId | None:
        """The node at or above this one that ends with the observation of that number, counted from the latest task on;
        0 is the task's own. None where there is none."""
        stops: list[NodeId] = []
        for one in self.path(node):
            stops = [] if one.step("task") else stops
            stops += [one.id for step in one.steps if step.kind in ("task", "observe")]
        return stops[number] if number < len(stops) else None

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

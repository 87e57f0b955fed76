"""Which pool slot holds the keys and values of which token prefix: a radix tree over token ids with a slot budget.

A node is a run of tokens and the slots that hold them; the path from the root to a node is a prefix. Rows lock the node
they stand on, and what is locked is never given away; everything else is dropped, least recently used first and from
its tail, when slots run out. Knows nothing of tensors: a slot is an index into whatever the network keeps.
"""

import heapq
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]
Slots = npt.NDArray[np.int32]


class Node:
    """A run of tokens below its parent. `end` is what the network computed at the last of them, where it was kept."""

    __slots__ = ("children", "end", "locks", "parent", "slots", "tokens", "used")

    def __init__(self, parent: "Node | None", tokens: Ids, slots: Slots) -> None:
        self.parent = parent
        self.tokens = tokens
        self.slots = slots
        self.children: dict[int, Node] = {}
        self.locks = 0
        """Rows that stand on this node or below it."""
        self.used = 0
        self.end: Any = None

    def path(self) -> "list[Node]":
        """Nodes from below the root down to this one."""
        found = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            found.append(node)
            node = node.parent
        return found[::-1]


class RadixCache:
    """Prefixes and free slots of a pool of `capacity` slots."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.root = Node(None, _EMPTY, _EMPTY)
        self._free = np.arange(capacity - 1, -1, -1, dtype=np.int32)
        self._count = capacity
        self._idle = 0
        """Slots in nodes that nobody locks."""
        self._clock = 0

    @property
    def available(self) -> int:
        """Slots that `allocate` can give: the free ones and those it may take from idle nodes."""
        return self._count + self._idle

    @property
    def free_slots(self) -> int:
        return self._count

    def match(self, tokens: Ids) -> Node:
        """The node that ends at the longest known prefix of `tokens`; a longer run is split there."""
        node, at = self.root, 0
        self._clock += 1
        while at < len(tokens):
            child = node.children.get(int(tokens[at]))
            if child is None:
                break
            same = shared_length(child.tokens, tokens[at:])
            node = child if same == len(child.tokens) else self._split(child, same)
            node.used = self._clock
            at += same
        return node

    def insert(self, node: Node, tokens: Ids, slots: Slots) -> Node:
        """Hang `tokens`, held by `slots`, below `node`; returns the node that ends there.

        What the tree already has is kept, and the slots that hold it a second time are freed.
        """
        at = 0
        self._clock += 1
        while at < len(tokens):
            child = node.children.get(int(tokens[at]))
            if child is None:
                child = Node(node, tokens[at:].copy(), slots[at:].copy())
                node.children[int(tokens[at])] = child
                self._idle += len(child.slots)
                same = len(child.tokens)
            else:
                same = shared_length(child.tokens, tokens[at:])
                child = child if same == len(child.tokens) else self._split(child, same)
                self.free(slots[at : at + same])
            child.used = self._clock
            node = child
            at += same
        return node

    def lock(self, node: Node) -> None:
        for step in node.path():
            self._idle -= len(step.slots) if step.locks == 0 else 0
            step.locks += 1

    def unlock(self, node: Node) -> None:
        for step in node.path():
            step.locks -= 1
            self._idle += len(step.slots) if step.locks == 0 else 0

    def allocate(self, count: int) -> Slots | None:
        """`count` slots, taken from idle nodes where too few are free; None when there are not that many."""
        if count > self.available:
            return None
        if count > self._count:
            self._evict(count - self._count)
        self._count -= count
        return self._free[self._count : self._count + count][::-1].copy()

    def free(self, slots: Slots) -> None:
        self._free[self._count : self._count + len(slots)] = slots[::-1]
        self._count += len(slots)

    def nodes(self) -> list[Node]:
        """Every node below the root, parents first."""
        found = [self.root]
        for node in found:
            found.extend(node.children.values())
        return found[1:]

    def _split(self, node: Node, at: int) -> Node:
        """Cut a node's run in two; returns the upper part, which holds the first `at` tokens."""
        assert node.parent is not None
        upper = Node(node.parent, node.tokens[:at], node.slots[:at])
        upper.locks, upper.used = node.locks, node.used
        node.parent.children[int(upper.tokens[0])] = upper
        node.parent, node.tokens, node.slots = upper, node.tokens[at:], node.slots[at:]
        upper.children[int(node.tokens[0])] = node
        return upper

    def _evict(self, count: int) -> None:
        leaves = [(n.used, id(n), n) for n in self.nodes() if not n.children and n.locks == 0]
        heapq.heapify(leaves)
        while count > 0:
            _, _, node = heapq.heappop(leaves)
            taken = min(count, len(node.slots))
            keep = len(node.slots) - taken
            self.free(node.slots[keep:])
            self._idle -= taken
            count -= taken
            parent = node.parent
            assert parent is not None
            if keep:
                node.tokens, node.slots, node.end = node.tokens[:keep], node.slots[:keep], None
                continue
            del parent.children[int(node.tokens[0])]
            if parent is not self.root and not parent.children and parent.locks == 0:
                heapq.heappush(leaves, (parent.used, id(parent), parent))


def shared_length(one: Ids, other: Ids) -> int:
    """How many leading tokens two runs have in common."""
    length = min(len(one), len(other))
    differs = one[:length] != other[:length]
    return int(differs.argmax()) if differs.any() else length


_EMPTY = np.zeros(0, dtype=np.int32)

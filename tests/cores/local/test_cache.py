"""The tree of prefixes never loses, doubles or gives away a slot that somebody needs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reasoner.cores.local.cache import Ids, Node, RadixCache, shared_length

TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=12)


def ids(tokens: list[int]) -> Ids:
    return np.array(tokens, dtype=np.int32)


def held(node: Node) -> Ids:
    return np.concatenate([n.slots for n in node.path()] or [ids([])])


def spelled(node: Node) -> list[int]:
    return [int(t) for n in node.path() for t in n.tokens]


@given(TOKENS, TOKENS)
def test_shared_length_is_the_common_prefix(one: list[int], other: list[int]) -> None:
    length = shared_length(ids(one), ids(other))
    assert one[:length] == other[:length]
    assert length == min(len(one), len(other)) or one[length] != other[length]


def test_what_is_least_recently_used_goes_first_and_from_its_tail() -> None:
    cache = RadixCache(8)
    for tokens in ([1, 1, 1], [2, 2, 2]):
        slots = cache.allocate(3)
        assert slots is not None
        cache.insert(cache.root, ids(tokens), slots)
    cache.match(ids([1, 1, 1]))
    assert cache.allocate(3) is not None
    assert spelled(cache.match(ids([2, 2, 2]))) == [2, 2]
    assert spelled(cache.match(ids([1, 1, 1]))) == [1, 1, 1]


def test_a_split_keeps_what_was_computed_at_the_end() -> None:
    cache = RadixCache(4)
    slots = cache.allocate(4)
    assert slots is not None
    cache.insert(cache.root, ids([1, 2, 3, 4]), slots).end = "state"
    upper = cache.match(ids([1, 2]))
    assert upper.end is None
    assert cache.match(ids([1, 2, 3, 4])).end == "state"
    assert held(upper).tolist() == slots[:2].tolist()


class Machine(RuleBasedStateMachine):
    """Rows come, grow and go in random order; a model remembers which slot was written for which prefix."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = RadixCache(24)
        self.rows: list[tuple[Node, list[int], list[int]]] = []
        """Locked node, all tokens, slots beyond the node's."""
        self.written: dict[int, tuple[int, ...]] = {}
        """Slot -> the prefix whose last token it holds."""

    @rule(tokens=TOKENS)
    def admit(self, tokens: list[int]) -> None:
        node = self.cache.match(ids(tokens))
        assert spelled(node) == tokens[: len(spelled(node))]
        self.cache.lock(node)
        self.rows.append((node, spelled(node), []))
        self._grow(len(self.rows) - 1, tokens[len(spelled(node)) :])

    @precondition(lambda self: self.rows)
    @rule(which=st.integers(0, 99), tokens=TOKENS)
    def grow(self, which: int, tokens: list[int]) -> None:
        self._grow(which % len(self.rows), tokens)

    @precondition(lambda self: self.rows)
    @rule(which=st.integers(0, 99))
    def hang_into_the_tree(self, which: int) -> None:
        at = which % len(self.rows)
        node, tokens, own = self.rows[at]
        below = tokens[len(tokens) - len(own) :]
        deeper = self.cache.insert(node, ids(below), ids(own))
        self.cache.lock(deeper)
        self.cache.unlock(node)
        self.rows[at] = (deeper, tokens, [])

    @precondition(lambda self: self.rows)
    @rule(which=st.integers(0, 99), keep=st.booleans())
    def go(self, which: int, keep: bool) -> None:
        if keep:
            self.hang_into_the_tree(which)
        node, _, own = self.rows.pop(which % len(self.rows))
        self.cache.free(ids(own))
        self.cache.unlock(node)

    def _grow(self, at: int, tokens: list[int]) -> None:
        node, known, own = self.rows[at]
        room = self.cache.available
        slots = self.cache.allocate(len(tokens))
        assert (slots is None) == (len(tokens) > room)
        if slots is not None:
            for i, slot in enumerate(slots.tolist()):
                self.written[slot] = (*known, *tokens[: i + 1])
            self.rows[at] = (node, [*known, *tokens], [*own, *slots.tolist()])

    @invariant()
    def every_slot_has_one_owner(self) -> None:
        nodes = self.cache.nodes()
        inside = [int(s) for n in nodes for s in n.slots]
        owned = [s for _, _, own in self.rows for s in own]
        assert len(inside + owned) == len(set(inside + owned))
        assert len(inside + owned) + self.cache.free_slots == self.cache.capacity

    @invariant()
    def every_node_holds_what_was_written_for_it(self) -> None:
        for node in self.cache.nodes():
            prefix = spelled(node)
            for i, slot in enumerate(held(node).tolist()):
                assert self.written[slot] == tuple(prefix[: i + 1])

    @invariant()
    def what_a_row_stands_on_is_there(self) -> None:
        alive = set(map(id, self.cache.nodes()))
        for node, tokens, own in self.rows:
            assert spelled(node) == tokens[: len(tokens) - len(own)]
            assert all(id(n) in alive and n.locks > 0 for n in node.path())

    @invariant()
    def idle_slots_are_counted(self) -> None:
        idle = sum(len(n.slots) for n in self.cache.nodes() if n.locks == 0)
        assert self.cache.available == self.cache.free_slots + idle


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_more_than_there_is_is_not_given() -> None:
    cache = RadixCache(3)
    slots = cache.allocate(3)
    assert slots is not None
    assert cache.allocate(1) is None
    cache.free(slots)
    assert sorted(slots.tolist()) == [0, 1, 2]
    with pytest.raises(ValueError, match=r".+"):
        cache.free(slots)

"""What a verifier or a strategy remembers of one search, and forgets with its tree."""

import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from reasoner.tree.tree import Tree

T = TypeVar("T")


class PerTree(Generic[T]):
    """One value a tree, made when it is first asked for. Trees are told apart as objects, whatever they hold."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._held: dict[int, T] = {}

    def __getitem__(self, tree: Tree) -> T:
        key = id(tree)
        if key not in self._held:
            self._held[key] = self._make()
            weakref.finalize(tree, self._held.pop, key, None)
        return self._held[key]

    def __len__(self) -> int:
        return len(self._held)

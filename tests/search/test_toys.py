"""What benchmarks/search_toys.py measures over many seeds, held with few; and that deciding costs no walk over what is
finished, counted in Python calls and so the same on any machine."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from reasoner.ledger import Ledger
from reasoner.protocols import Strategy
from reasoner.search import Beam, Steps
from reasoner.search.beam import Rule
from reasoner.tree import Tree
from reasoner.types import Expand, NodeId, Step

LEDGER = Ledger(clock=lambda: 0.0)


@pytest.fixture(scope="module")
def toys() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "search_toys.py"
    spec = importlib.util.spec_from_file_location("search_toys", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["search_toys"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["beam", "mcts"])
def test_the_optimal_leaf_is_found_within_the_visits(toys: ModuleType, name: str) -> None:
    found = [toys.Toy(seed).found(toys.FINDERS[name], toys.VISITS) for seed in range(20)]
    assert sum(visits is not None for visits in found) >= 19


def test_equal_seeds_grow_equal_trees(toys: ModuleType) -> None:
    one, two = toys.Toy(3), toys.Toy(3)
    assert one.found(toys.FINDERS["mcts"], 40) == two.found(toys.FINDERS["mcts"], 40)
    assert one.tree.nodes == two.tree.nodes


@pytest.mark.parametrize(
    "name", ["vote", "best_of_n", "adaptive", "rewind", "top 250", "dvts 250", "rebase 250", "mcts"]
)
def test_choosing_costs_no_walk_over_finished_nodes(toys: ModuleType, name: str) -> None:
    strategy, depth = toys.schedulers()[name]
    tree = Tree("scheduling")
    tree.plant([Step("task", "")], "")
    early = max(calls(toys, strategy, tree, nodes, depth) for nodes in (300, 310))
    late = max(calls(toys, strategy, tree, nodes, depth) for nodes in (1600, 1610))
    assert late < 3 * early + 100


@pytest.mark.parametrize("rule", ["top", "dvts", "rebase"])
@pytest.mark.parametrize(("wide", "deep"), [(40, 50), (400, 12), (1200, 4)])
def test_a_level_is_ranked_once_however_wide_it_is(toys: ModuleType, rule: Rule, wide: int, deep: int) -> None:
    strategy = Counted(Beam(Steps("value", depth=deep), wide, 4, rule))
    tree = Tree("scheduling")
    tree.plant([Step("task", "")], "")
    toys.grow(strategy, tree, 3 * wide, deep)
    assert strategy.calls / len(tree) < 120


@dataclass
class Counted:
    """A strategy, and how many calls all its choices took."""

    strategy: Strategy
    calls: int = 0

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        def profile(frame: object, event: str, argument: object) -> None:
            self.calls += event in ("call", "c_call")

        sys.setprofile(profile)
        chosen = self.strategy.select(tree, ledger, free)
        sys.setprofile(None)
        return chosen

    def answer(self, tree: Tree) -> NodeId | None:
        return self.strategy.answer(tree)


def calls(toys: ModuleType, strategy: Strategy, tree: Tree, nodes: int, depth: int) -> int:
    """How many calls one choice takes in a tree grown to `nodes`."""
    toys.grow(strategy, tree, nodes, depth)
    count = 0

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    strategy.select(tree, LEDGER, 1)
    sys.setprofile(None)
    return count

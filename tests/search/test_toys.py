"""What benchmarks/search_toys.py measures over many seeds, held with few; and that deciding costs no walk over what is
finished, counted in Python calls and so the same on any machine."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from reasoner.ledger import Ledger
from reasoner.protocols import Strategy
from reasoner.tree import Tree
from reasoner.types import Step

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


@pytest.mark.parametrize("name", ["vote", "best_of_n", "adaptive", "rewind", "top", "dvts", "rebase", "mcts"])
def test_choosing_costs_no_walk_over_finished_nodes(toys: ModuleType, name: str) -> None:
    strategy, depth = toys.schedulers()[name]
    tree = Tree("scheduling")
    tree.plant([Step("task", "")], "")
    early = max(calls(toys, strategy, tree, nodes, depth) for nodes in (300, 310))
    late = max(calls(toys, strategy, tree, nodes, depth) for nodes in (1600, 1610))
    assert late < 3 * early + 100


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

"""Whether search finds what there is to find, and what deciding costs: toy trees of known answer, no model.

    python benchmarks/search_toys.py [--quick]     --quick: fewer seeds, under 60 s

The toy: 4 steps, 4 ways to take each, one of them right, in an order of the seed; a node's score is the share of right
steps so far plus noise (standard deviation 0.2), an answer's is exact. One of 256 answers is right throughout. 64
visits of 340 nodes are allowed: fixed before anything was tuned. Steps are dealt without repeats until all ways are
taken. Scheduling: what select, opened and add take together, per node, while a tree grows to 10,000 nodes.
"""

import argparse
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from reasoner.completions import Sampling
from reasoner.config import SearchConfig
from reasoner.ledger import Cost, Ledger
from reasoner.protocols import Strategy
from reasoner.search import Beam, Mcts, Steps, make
from reasoner.tree import Head, Tree
from reasoner.types import Span, Step, Verdict

DEPTH, WAYS, NOISE, VISITS = 4, 4, 0.2, 64
NODES = 10_000
STEPS = Steps("value", Sampling(temperature=1.0), depth=DEPTH, averaged=True)
FINDERS: dict[str, Strategy] = {
    "beam": Beam(STEPS, 16, 4),
    "dvts": Beam(STEPS, 16, 4, "dvts"),
    "rebase": Beam(STEPS, 16, 4, "rebase"),
    "mcts": Mcts(STEPS, VISITS),
}
LEDGER = Ledger(clock=lambda: 0.0)


@dataclass
class Toy:
    """One tree of known answer. `width` heads are in flight, and the one that has flown longest lands."""

    seed: int
    width: int = 4
    tree: Tree = field(init=False)

    def __post_init__(self) -> None:
        self.tree = Tree("toy", self.seed)
        self.tree.plant([Step("task", "")], "")

    def found(self, strategy: Strategy, visits: int) -> int | None:
        """After how many visits the right answer was there; None when it was not within `visits`."""
        while True:
            left = min(self.width - len(self.tree.in_flight), visits - len(self.tree.in_flight) - len(self.tree) + 1)
            for expand in strategy.select(self.tree, LEDGER, left):
                self.tree.opened(expand)
            if not self.tree.in_flight:
                return None
            if self.land(self.tree.in_flight[0]):
                return len(self.tree) - 1

    def land(self, head: Head) -> bool:
        """Finish a head; whether it is the right answer."""
        at = head.expand.node
        ways = list(range(WAYS))
        random.Random(f"{self.seed} {self.tree.ids(at)}").shuffle(ways)
        way = ways[head.ordinal % WAYS]
        line = [*self.tree.ids(at), way]
        answered = len(line) == DEPTH
        share = sum(step == 0 for step in line) / len(line)
        noise = 0.0 if answered else random.Random(f"{self.seed} {line} noise").gauss(0.0, NOISE)
        step = Step("answer" if answered else "think", "", (Span((way,), sampled=True, logprobs=(-1.0,)),))
        self.tree.add(head, [step], "", [Verdict(share + noise, "value")], Cost())
        return answered and share == 1.0


def scheduled(strategy: Strategy, nodes: int, depth: int) -> tuple[float, float]:
    """Milliseconds of CPU a node over the first tenth and over the last tenth of a tree of `nodes`."""
    tree = Tree("scheduling")
    tree.plant([Step("task", "")], "")
    tenth, spent = nodes // 10, []
    for ends in (tenth, nodes - tenth, nodes):
        start = time.process_time()
        grow(strategy, tree, ends, depth)
        spent.append(1e3 * (time.process_time() - start) / tenth)
    return spent[0], spent[2]


def grow(strategy: Strategy, tree: Tree, nodes: int, depth: int, width: int = 8) -> None:
    """Grow a tree to `nodes`; a path of `depth` steps ends with an answer."""
    while len(tree) <= nodes:
        for expand in strategy.select(tree, LEDGER, width - len(tree.in_flight)):
            tree.opened(expand)
        head = tree.in_flight[0]
        answered = tree.sums(head.expand.node).depth + 1 >= depth
        tree.add(head, *_MADE[answered][len(tree) % _KINDS], Cost())


def _made(answered: bool, chance: random.Random) -> tuple[list[Step], str, list[Verdict]]:
    """Forty tokens and two verdicts. Nothing is ever solved; an answer is one of many."""
    span = Span(tuple(chance.randrange(50_000) for _ in range(40)), sampled=True, logprobs=(-0.5,) * 40)
    verdicts = [Verdict(chance.random() * 0.9, "value")]
    if answered:
        verdicts.append(Verdict(1.0, "answer", key=str(int(chance.paretovariate(1.0)))))
    return [Step("answer" if answered else "think", "", (span,))], "", verdicts


_KINDS = 2_003
_MADE = {answered: [_made(answered, random.Random(place)) for place in range(_KINDS)] for answered in (False, True)}
"""Made beforehand, so that they cost nothing while the time is taken."""


def schedulers() -> dict[str, tuple[Strategy, int]]:
    """Strategies that grow a tree of any size, each with the steps of a path. (`revise` and `dialogue` grow one chain,
    as long as a context holds.)"""
    many = {
        name: make(SearchConfig(strategy=name, attempts=10**6)) for name in ("vote", "best_of_n", "adaptive", "rewind")
    }
    return {
        **{name: (strategy, 1) for name, strategy in many.items()},
        **{
            f"{rule} {beams}": (Beam(Steps("value", depth=depth), beams, 4, rule), depth)  # type: ignore[arg-type]
            for rule in ("top", "dvts", "rebase")
            for beams, depth in ((250, 50), (1000, 12), (1900, 6))
        },
        "mcts": (Mcts(Steps("value", depth=12), 10**6), 12),
    }


def figure(value: float, goal: float | None, unit: str, better: str, against: str) -> dict[str, Any]:
    return {"value": round(value, 3), "goal": goal, "unit": unit, "better": better, "against": against}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="30 seeds, trees of 3,000 nodes")
    quick = parser.parse_args().quick
    seeds, nodes = (30, 3_000) if quick else (100, NODES)
    figures: dict[str, Any] = {}
    size = sum(WAYS**depth for depth in range(1, DEPTH + 1))
    print(f"{'right answer':<12} {'found':>9} {'visits':>7}   within {VISITS} visits of {size} nodes")
    for name, strategy in FINDERS.items():
        visits = [v for seed in range(seeds) if (v := Toy(seed).found(strategy, VISITS)) is not None]
        middle = sorted(visits)[len(visits) // 2] if visits else 0
        print(f"{name:<12} {len(visits):>4}/{seeds:<4} {middle:>7}")
        goal = 0.95 if name in ("beam", "mcts") else None
        figures[f"{name} finds the optimal leaf"] = figure(len(visits) / seeds, goal, "share", "higher", "seeds")
    print(f"\n{'scheduling':<12} {'first':>9} {'last':>9}   ms a node, first and last tenth of {nodes:,} nodes")
    for name, (strategy, depth) in schedulers().items():
        first, last = scheduled(strategy, nodes, depth)
        print(f"{name:<12} {first:>9.3f} {last:>9.3f}")
        figures[f"{name} scheduling"] = figure(last, 1.0, "ms a node", "lower", f"{nodes} nodes")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""Stopping policies and selections by the names that a command line knows: `solved`, `fixed:16`, `leads:0.95+fixed:40`.

What a policy decides is its own business (`stopping`); any that satisfies `StopPolicy` can be replayed without a name.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reasoner.errors import ConfigError, TraceError
from reasoner.ledger import Ledger
from reasoner.protocols import StopPolicy
from reasoner.replay.pools import Pool
from reasoner.stopping import Calls, Gain, Level
from reasoner.stopping.spelt import SPELLINGS, Spelling, spelt
from reasoner.stopping.spelt import names as spelt_names
from reasoner.tree import Tree
from reasoner.types import NodeId, Stop

Select = Callable[[Tree], NodeId | None]
Make = Callable[[Sequence[Pool]], StopPolicy]
"""From pools of other tasks than those that are replayed, for policies that learn from some."""


@dataclass(frozen=True)
class Fixed:
    """So many samples, whatever they say."""

    count: int

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        return Stop(f"{self.count} samples") if len(tree) - 1 >= self.count else None


def policy(text: str, voters: str = "answer") -> Make:
    """The policy of a name; `a+b` stops where the first of both does. `voters` is the source whose keys are votes.

    Raises:
        ConfigError: there is none of that name, or its number makes no sense.
    """
    spelt(text, voters, known=_known(()))
    return lambda pools: spelt(text, voters, known=_known(pools))


def names() -> str:
    """The names with their numbers, for help."""
    return spelt_names(_known(()))


def selection(name: str) -> Select:
    """Which sample is answered with: by the `visible` tests, by `vote`, by `certainty`, or the `last` one.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in _SELECT:
        raise ConfigError(f"there is no selection {name!r}: choose one of {', '.join(_SELECT)}")
    return _SELECT[name]


def _known(pools: Sequence[Pool]) -> Mapping[str, Spelling]:
    """What a search knows, and what is learnt from pools."""
    return {
        "fixed": Spelling(16, 1, 1e6, lambda count, _, __: Fixed(int(count))),
        **SPELLINGS,
        "calls": Spelling(64, 1, 1e4, lambda most, voter, _: Calls(voter, levels(pools), int(most))),
        "gain": Spelling(2000, 1, 1e9, lambda worth, voter, _: Gain(worth, voter if voted(pools) else "")),
    }


def voted(pools: Sequence[Pool]) -> bool:
    return any(sample.key for pool in pools for sample in pool.samples)


def voters(pools: Sequence[Pool]) -> str:
    """The source whose keys are votes in these pools; `answer` where nobody votes."""
    found = (v.source for pool in pools for sample in pool.samples for v in sample.verdicts if v.key)
    return next(found, "answer")


def levels(pools: Sequence[Pool]) -> tuple[Level, ...]:
    """How often each pool's samples are right, and how often they give its most frequent wrong answer.

    Raises:
        TraceError: a pool is `ordered`, so nobody knows how often.
    """
    if short := next((pool for pool in pools if pool.ordered), None):
        raise TraceError(f"calls learns how often samples are right, and {short.source} ended because of them")
    found = []
    for pool in pools:
        right = sum(sample.correct for sample in pool.samples)
        wrong = Counter(sample.key for sample in pool.samples if sample.key and not sample.correct)
        total = len(pool.samples)
        found.append(Level(right / total, wrong.most_common(1)[0][1] / total if wrong else 0.0))
    return tuple(Level(*level, weight=count) for level, count in Counter((f.right, f.wrong) for f in found).items())


def _by_tests(tree: Tree) -> NodeId | None:
    """The best by the visible tests, then the surest, then the earliest."""
    return _best(tree, "visible", "certainty")


def _by_certainty(tree: Tree) -> NodeId | None:
    return _best(tree, "certainty")


def _by_vote(tree: Tree) -> NodeId | None:
    """The earliest node of the most frequent answer; where nobody votes, the best by the visible tests."""
    votes: dict[str, list[NodeId]] = {}
    for node in tree.nodes[1:]:
        key = next((v.key for v in node.verdicts if v.key), "")
        if key:
            votes.setdefault(key, []).append(node.id)
    if not votes:
        return _by_tests(tree)
    return max(votes.values(), key=lambda nodes: (len(nodes), -nodes[0]))[0]


def _best(tree: Tree, *sources: str) -> NodeId | None:
    if len(tree) < 2:
        return None
    return max(tree.nodes[1:], key=lambda node: (*(node.score(s) or 0.0 for s in sources), -node.id)).id


_SELECT: dict[str, Select] = {
    "visible": _by_tests,
    "vote": _by_vote,
    "certainty": _by_certainty,
    "last": lambda tree: tree.nodes[-1].id if len(tree) > 1 else None,
}

"""Stopping policies and selections by the names that a command line knows: `solved`, `fixed:16`, `leads:0.95+fixed:40`.

What a policy decides is its own business (`stopping`); any that satisfies `StopPolicy` can be replayed without a name.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from reasoner.completions import Sampling
from reasoner.errors import ConfigError, TraceError
from reasoner.ledger import Cost, Ledger
from reasoner.protocols import StopPolicy
from reasoner.replay.pools import Pool
from reasoner.search import elected
from reasoner.stopping import Calls, Gain, Level, Sure
from reasoner.stopping.spelt import SPELLINGS, Spelling, spelt
from reasoner.stopping.spelt import names as spelt_names
from reasoner.tree import Tree
from reasoner.types import Expand, NodeId, Step, Stop
from reasoner.verifiers.calibrate import Calibration, Row, calibrated
from reasoner.verifiers.evidence import evidence

Select = Callable[[Tree], NodeId | None]
Make = Callable[[Sequence[Pool]], StopPolicy]
"""From pools of other tasks than those that are replayed, for policies that learn from some."""


@dataclass(frozen=True)
class Fixed:
    """So many samples, whatever they say."""

    count: int

    def decide(self, tree: Tree, ledger: Ledger) -> Stop | None:
        return Stop(f"{self.count} samples") if len(tree) - 1 >= self.count else None


@dataclass(frozen=True)
class Learns:
    """A selection that is made anew from other tasks than those that it selects for."""

    make: Callable[[Sequence[Pool]], Select]


def policy(text: str, voters: str = "answer", answer: Learns | None = None) -> Make:
    """The policy of a name; `a+b` stops where the first of both does. `voters` is the source whose keys are votes,
    `answer` the selection that answers when it stops.

    Raises:
        ConfigError: there is none of that name, or its number makes no sense.
    """
    spelt(text, voters, known=_known(()))
    return lambda pools: spelt(text, voters, answer.make(pools) if answer else None, _known(pools))


def names() -> str:
    """The names with their numbers, for help."""
    return spelt_names(_known(()))


def selection(name: str, pools: Sequence[Pool] = ()) -> Select:
    """Which sample is answered with: by the `visible` tests, by `vote`, the `last` one; of what scored samples of
    `pools`, by any source (`certainty`) or a vote that it weighs (`vote:certainty`); the one that all sources together
    find most likely right (`calibrated`), as they were right in `pools`.

    Raises:
        ConfigError: there is none of that name, or there is nothing to learn from.
        TraceError: nobody knows how often samples of `pools` are right.
    """
    if name in _SELECT:
        return _SELECT[name]
    if name == "calibrated":
        return _most_likely(_probability(pools))
    sources = dict.fromkeys(v.source for pool in pools for sample in pool.samples for v in sample.verdicts)
    scored = {source: partial(_best, sources=[source]) for source in sources if source not in _SELECT}
    weighed = {f"vote:{source}": partial(elected, weight=source) for source in sources}
    found = {**scored, **weighed}.get(name)
    if found is None:
        known = ", ".join([*_SELECT, "calibrated", *scored, *weighed])
        raise ConfigError(f"there is no selection {name!r}: choose one of {known}")
    return found


def _known(pools: Sequence[Pool]) -> Mapping[str, Spelling]:
    """What a search knows, and what is learnt from pools."""
    return {
        "fixed": Spelling(16, 1, 1e6, lambda count, _, __: Fixed(int(count))),
        **SPELLINGS,
        "sure": Spelling(0.95, 0.5, 1, lambda least, _, answer: Sure(answer or _by_vote, _probability(pools), least)),
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
    _must_be_whole(pools)
    found = []
    for pool in pools:
        right = sum(sample.correct for sample in pool.samples)
        wrong = Counter(sample.key for sample in pool.samples if sample.key and not sample.correct)
        total = len(pool.samples)
        found.append(Level(right / total, wrong.most_common(1)[0][1] / total if wrong else 0.0))
    return tuple(Level(*level, weight=count) for level, count in Counter((f.right, f.wrong) for f in found).items())


def _must_be_whole(pools: Sequence[Pool]) -> None:
    if short := next((pool for pool in pools if pool.ordered), None):
        raise TraceError(f"nobody knows how often samples of {short.source} are right: it ended because of them")


def _probability(pools: Sequence[Pool]) -> Callable[[Tree, NodeId], float | None]:
    """How likely a node is right, where all that speaks for it means what it meant in `pools`."""

    @cache
    def fitted() -> Calibration:
        return calibrated([row for pool in pools for row in judged(pool)])

    return lambda tree, node: fitted().probability(evidence(tree, node))


def judged(pool: Pool) -> Iterator[Row]:
    """What speaks for each sample once all of them are there, and whether it is right.

    Raises:
        TraceError: the pool is `ordered`, so its samples are no fair draw.
    """
    _must_be_whole([pool])
    tree = Tree(pool.task)
    tree.plant([Step("task", "")], "")
    for sample in pool.samples:
        tree.add(tree.opened(Expand(0, "attempt", Sampling())), sample.steps, "", sample.verdicts, Cost())
    for node, sample in enumerate(pool.samples, 1):
        yield Row(evidence(tree, node), sample.correct, pool.task)


def _most_likely(probability: Callable[[Tree, NodeId], float | None]) -> Select:
    """The earliest of those that are most likely right."""

    def select(tree: Tree) -> NodeId | None:
        return max(range(1, len(tree)), key=lambda node: (probability(tree, node) or 0.0, -node), default=None)

    return select


def _by_tests(tree: Tree) -> NodeId | None:
    """The best by the visible tests, then the surest, then the earliest."""
    return _best(tree, ["visible", "certainty"])


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


def _best(tree: Tree, sources: Sequence[str]) -> NodeId | None:
    if len(tree) < 2:
        return None
    return max(tree.nodes[1:], key=lambda node: (*(node.score(s) or 0.0 for s in sources), -node.id)).id


_SELECT: dict[str, Select] = {
    "visible": _by_tests,
    "vote": _by_vote,
    "certainty": partial(_best, sources=["certainty"]),
    "last": lambda tree: tree.nodes[-1].id if len(tree) > 1 else None,
}

"""Adaptive: learn from a few samples how hard the task is, and spend the rest by that (compute-optimal scaling, Snell
et al., 2408.03314, sections 3.2, 5 and 6: difficulty predicted from a verifier's scores of the samples; local revision
pays where samples are nearly right, independent samples where they are not).

The measure of ease is the visible tests' mean score for code and the agreement of the answers for a question. By it
each further head is drawn, with a fixed chance, to be a fresh attempt, a rewind into a good one, or a revision of it.
Samples that all give one answer end the search. Where one passes all visible tests, what follows is fresh: its vote
is to be independent.
"""

import random
from dataclasses import dataclass

from reasoner.completions import Sampling
from reasoner.ledger import Ledger
from reasoner.search.plain import VISIBLE
from reasoner.search.rewind import Rewind
from reasoner.search.vote import elected
from reasoner.tree import VOTERS, Tree, derive_seed
from reasoner.types import Expand, NodeId

_SHARES = ((0.25, (8, 2, 0)), (0.6, (4, 5, 1)), (1.01, (2, 6, 2)))
"""Ease below which -> parts of fresh attempts, rewinds and revisions. Set by hand: an untrained core mostly repeats
itself when it revises."""
_BEST = 4
"""How many of the best may be revised."""


@dataclass(frozen=True)
class Adaptive:
    """`n` attempts and revisions, of which the first `probes` say how hard the task is."""

    n: int = 16
    sampling: Sampling = Sampling(temperature=0.7)
    probes: int = 4
    think: bool = False
    guide: str = ""
    terse: bool = True

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        opened = tree.opened_as("attempt", "revise")
        if opened >= self.n:
            return []
        probes = min(self.probes, self.n)
        if opened < probes:
            return self._attempts(tree, ledger, min(free, probes - opened), inside=0.0)
        landed = opened - len(tree.in_flight)
        if landed < probes or _unanimous(tree, landed):
            return []
        return self._rest(tree, ledger, min(free, self.n - opened))

    def answer(self, tree: Tree) -> NodeId | None:
        return elected(tree, self.guide)

    def _rest(self, tree: Tree, ledger: Ledger, count: int) -> list[Expand]:
        if tree.solved:
            return self._attempts(tree, ledger, count, inside=0.0)
        opened, ease = tree.opened_as("attempt", "revise"), _ease(tree)
        parts = next(parts for bound, parts in _SHARES if ease < bound)
        fresh = self._attempts(tree, ledger, count, inside=0.0)
        rewinds = self._attempts(tree, ledger, count, inside=1.0)
        chosen = []
        for place, (anew, inside) in enumerate(zip(fresh, rewinds, strict=True)):
            chance = random.Random(derive_seed(tree.seed, tree.task, -2, opened + place))
            revision = Expand(chance.choice(_near(tree)), "revise", self.sampling)
            chosen += chance.choices((anew, inside, revision), parts)
        return chosen

    def _attempts(self, tree: Tree, ledger: Ledger, count: int, inside: float) -> list[Expand]:
        """As `rewind` makes them; where there is nothing to rewind into they are fresh."""
        most = tree.opened_as("attempt") + count
        attempts = Rewind(most, self.sampling, lessons=False, inside=inside, think=self.think, terse=self.terse)
        return attempts.select(tree, ledger, count)


def _ease(tree: Tree) -> float:
    """0..1: how nearly the samples so far are right, as far as anything says."""
    scored = tree.mean(tree.root, VISIBLE)
    if scored is not None:
        return scored
    return max(tree.poll(voter).agreement for voter in VOTERS)


def _unanimous(tree: Tree, landed: int) -> bool:
    """Whether all that `landed` answer a question alike; one that has no answer is not of one mind with the others.
    Code that behaves alike may be wrong alike, and its tests say so."""
    polls = map(tree.poll, VOTERS)
    return tree.best(VISIBLE) is None and any(p.total >= landed and p.agreement == 1.0 for p in polls)


def _near(tree: Tree) -> list[NodeId]:
    """What is worth revising: the best by the tests, else the newest vote for the leading answer, else the newest."""
    leaders = [poll.leader.nodes[-1] for poll in map(tree.poll, VOTERS) if poll.leader]
    return tree.top(VISIBLE, _BEST) or leaders[:1] or [tree.nodes[-1].id]

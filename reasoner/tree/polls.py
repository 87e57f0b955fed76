"""Votes as they come in: nodes whose verdicts have equal keys gave one answer.

The two leading answers are kept up to date, so asking who leads costs the same after ten votes and after ten thousand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reasoner.types import NodeId

VOTERS = ("answer", "behaviour", "self_tests")
"""Sources whose keys are votes for what is answered: the first of them that has any decides."""


@dataclass
class Ballot:
    """The votes for one answer, earliest first, and for each source what it gave to their nodes in sum."""

    key: str
    nodes: list[NodeId] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.nodes)


@dataclass
class Poll:
    """All votes that one source let nodes cast. Of equals leads the answer that had so many first."""

    ballots: dict[str, Ballot] = field(default_factory=dict)
    """By key, in the order of their first votes."""
    keys: list[str] = field(default_factory=list)
    """Every vote, in the order they came."""
    leader: Ballot | None = None
    second: Ballot | None = None

    def add(self, key: str, node: NodeId, scores: Mapping[str, float]) -> None:
        """One vote for `key`; `scores` are what all sources say of its node."""
        ballot = self.ballots.setdefault(key, Ballot(key))
        ballot.nodes.append(node)
        for source, score in scores.items():
            ballot.weights[source] = ballot.weights.get(source, 0.0) + score
        self.keys.append(key)
        self._rank(ballot)

    @property
    def total(self) -> int:
        return len(self.keys)

    @property
    def agreement(self) -> float:
        """The share of the votes that the leading answer has; 0 where nobody voted."""
        return self.leader.count / self.total if self.leader else 0.0

    def _rank(self, grown: Ballot) -> None:
        if self.leader is None or grown is self.leader:
            self.leader = grown
        elif grown.count > self.leader.count:
            self.leader, self.second = grown, self.leader
        elif self.second is None or grown.count > self.second.count:
            self.second = grown

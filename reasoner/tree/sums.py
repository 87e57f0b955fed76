"""What a tree keeps of each node so that no question walks over finished nodes: its place, visits, scores on the way to
it and below it."""

import math
from dataclasses import dataclass, field, replace

from reasoner.tree.node import Node
from reasoner.types import NodeId

LIKELIHOOD = "likelihood"
"""What the tree itself knows of every node: the geometric mean of the probabilities of all tokens sampled on its path.
It is asked for like a verifier's score."""


@dataclass
class Tally:
    """Scores of one source."""

    count: int = 0
    total: float = 0.0

    def add(self, score: float) -> None:
        self.count += 1
        self.total += score

    @property
    def mean(self) -> float:
        return self.total / self.count


@dataclass
class Sums:
    """Of one node: what is at it, and what is at it or below."""

    depth: int
    children: list[NodeId] = field(default_factory=list)
    growing: int = 0
    """Heads in flight that will be its children."""
    visits: int = 1
    """Finished nodes at or below it."""
    flying: int = 0
    """Heads in flight at or below it: visits that have not come back (virtual loss)."""
    scores: dict[str, float] = field(default_factory=dict)
    """Its own, by source."""
    line: dict[str, Tally] = field(default_factory=dict)
    """What each source gave to it and all above it."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    """What each source gave to it and all below it."""
    logprob: float = 0.0
    sampled: int = 0
    """Sum over the sampled tokens of its path, and how many those are; unknown ones are left out."""
    likelihood: float = 1.0
    """Geometric mean of the probabilities of its own sampled tokens; 1 where they are unknown."""

    @classmethod
    def of(cls, node: Node, above: "Sums | None") -> "Sums":
        """Of a node that has just come below the one that has the sums `above`; None for the root."""
        own = [p for step in node.steps for span in step.spans if span.sampled for p in span.logprobs]
        sums = cls(above.depth + 1, logprob=above.logprob, sampled=above.sampled) if above else cls(0)
        sums.logprob += math.fsum(own)
        sums.sampled += len(own)
        if own:
            sums.likelihood = _mean_probability(math.fsum(own), len(own))
        if sums.sampled:
            sums.scores[LIKELIHOOD] = _mean_probability(sums.logprob, sums.sampled)
        sums.scores.update((v.source, v.score) for v in node.verdicts)
        sums.line = {source: replace(tally) for source, tally in above.line.items()} if above else {}
        for source, score in sums.scores.items():
            sums.line.setdefault(source, Tally()).add(score)
        return sums


def _mean_probability(logprob: float, tokens: int) -> float:
    return math.exp(min(0.0, logprob / tokens))

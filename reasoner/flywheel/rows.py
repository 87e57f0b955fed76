"""What a core is trained on: token ids, which of them it is to learn, and what a place in them is worth.

Every row is a context that the runtime really produces, and its mask comes from spans: what was forced is read, never
learnt. Where rows come from, and how a file holds them, is not known here. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reasoner.types import Span, Step

Kind = Literal["solved", "turned", "risen"]
"""`solved`: a branch whose end was verified. `turned`: a failed one that saw it and stepped back. `risen`: one that was
verified after it had been given a lesson."""


@dataclass(frozen=True)
class Episode:
    """What the core reads and writes from a task to an end, as the spoken dialect lays it out."""

    task: str
    kind: Kind
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Row:
    """One context. `learnt` says of each id whether it is a target of the loss."""

    task: str
    kind: Kind
    ids: tuple[int, ...]
    learnt: tuple[bool, ...]
    weight: float = 1.0
    """Of each of its targets in the loss."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Way:
    """How one prefix went on."""

    ids: tuple[int, ...]
    learnt: tuple[bool, ...]


@dataclass(frozen=True)
class Pair:
    """Two ways on from one prefix, the first of which ended well."""

    task: str
    prompt: tuple[int, ...]
    chosen: Way
    rejected: Way

    def __len__(self) -> int:
        return len(self.prompt) + max(len(self.chosen.ids), len(self.rejected.ids))


@dataclass(frozen=True)
class Mark:
    """What a prefix of `at` tokens is worth, 0..1, and how many ends that was seen from."""

    at: int
    value: float
    visits: int = 1

    @property
    def variance(self) -> float:
        """Of the value, by Laplace's rule of succession: never 0, however often all ends agreed."""
        p = (self.value * self.visits + 1) / (self.visits + 2)
        return p * (1 - p) / (self.visits + 3)


@dataclass(frozen=True)
class Judged:
    """A context with what places in it are worth."""

    task: str
    ids: tuple[int, ...]
    marks: tuple[Mark, ...]
    """The end of each step."""
    solution: int = 0
    """Where the last code or answer ends, before anything was said of it; 0 for none."""

    def __len__(self) -> int:
        return len(self.ids)


def row(episode: Episode) -> Row:
    """The tokens of an episode up to the last one that is learnt: those are learnt that were sampled."""
    way = written(episode.steps)
    end = max((at for at, wanted in enumerate(way.learnt, 1) if wanted), default=0)
    return Row(episode.task, episode.kind, way.ids[:end], way.learnt[:end])


def written(steps: Iterable[Step]) -> Way:
    spans = [span for step in steps for span in step.spans]
    return Way(tuple(i for span in spans for i in span.ids), tuple(span.sampled for span in spans for _ in span.ids))


def read_only(step: Step) -> Step:
    """A step to be read and not learnt: what failed, what another branch wrote."""
    return replace(step, spans=tuple(_forced(span) for span in step.spans))


def weighed(rows: Sequence[Row]) -> list[Row]:
    """Rows weighed so that each task counts alike, however many rows it has, and the mean weight is 1."""
    counts = Counter(one.task for one in rows)
    return [replace(one, weight=len(rows) / (len(counts) * counts[one.task])) for one in rows]


def _forced(span: Span) -> Span:
    return replace(span, sampled=False)

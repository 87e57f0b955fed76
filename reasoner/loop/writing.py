"""Let a core write at the end of a head, and charge every token as it comes, also when the head is cancelled half-way.

Which words are forced before, and what is made of the text after, is the moves' business.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from reasoner.completions import Completion, Piece, Sampling, Usage
from reasoner.dialect.turns import Turns, written
from reasoner.errors import CoreError
from reasoner.ledger import Cost, Ledger
from reasoner.protocols import Core
from reasoner.trace import Entered, Event, Wrote
from reasoner.tree import Head
from reasoner.types import SnapshotId, Span, Step, StepKind

REMARK = 80
"""Tokens that a reflection or a critic's word may have."""


@dataclass
class Growth:
    """A head while it grows: all its tokens from the root, its own steps, its world, and its own ledger."""

    head: Head
    ids: list[int]
    world: SnapshotId
    ledger: Ledger
    steps: list[Step] = field(default_factory=list)

    def take(self, step: Step) -> None:
        self.steps.append(step)
        self.ids += step.ids

    def extend(self, span: Span) -> None:
        """Add tokens to the last step."""
        self.steps[-1] = replace(self.steps[-1], spans=(*self.steps[-1].spans, span))
        self.ids += span.ids


@dataclass(frozen=True)
class Writer:
    core: Core
    tell: Callable[[Event], None]

    async def write(
        self, growth: Growth, kind: StepKind, openings: Sequence[Span], sampling: Sampling, begun: str = ""
    ) -> Completion:
        """Force the openings, let the core write after them, and take all as one step. `begun` is the part of its
        text that the openings hold already."""
        self.tell(Entered(growth.head.id, kind))
        sampling = replace(
            sampling,
            seed=growth.head.seed + len(growth.steps),
            stop_ids=(*sampling.stop_ids, *self.core.tokenizer.ends),
        )
        completion = await self.sample(growth, openings, sampling)
        growth.take(written(kind, openings, completion, begun))
        return completion

    async def remark(self, growth: Growth, kind: StepKind, opening: Span, turns: Turns) -> None:
        """Two sentences on what was written, one's own or a critic's, and the user's turn opened after them."""
        sampling = replace(growth.head.expand.sampling, max_tokens=REMARK, stop=("\n\n", "```"))
        growth.extend(turns.again(await self.write(growth, kind, [opening], sampling)))

    async def sample(self, growth: Growth, openings: Sequence[Span], sampling: Sampling) -> Completion:
        """Let the core write after the head's tokens and `openings`. What goes round in circles is cut off there. Where
        the context has no room left, nothing is written: that branch is at its end, others are not."""
        prefix = [*growth.ids, *(i for span in openings for i in span.ids)]
        if len(prefix) >= self.core.info.context:
            return Completion((), "", "length")
        so_far = Completion((), "", "length")
        async with aclosing(self.core.stream(prefix, sampling)) as pieces:
            async for piece in pieces:
                growth.ledger.charge(_between(so_far.usage, piece.usage))
                self.tell(Wrote(growth.head.id, piece.text, len(piece.ids)))
                if piece.done:
                    return piece.done
                so_far = _joined(so_far, piece)
                if circles(so_far.ids):
                    return so_far
        raise CoreError(f"{self.core.info.name} ended its stream without a completion: report this core")


def circles(ids: Sequence[int]) -> bool:
    """Whether the last tokens are one short run over and over: small cores get caught in such loops and never leave."""
    if len(ids) % _CIRCLE_EVERY:
        return False
    tail = ids[-_CIRCLE:]
    if len(tail) < _CIRCLE:
        return False
    return any(tail[period:] == tail[:-period] for period in range(1, _CIRCLE // 4 + 1))


_CIRCLE = 160
"""Tokens that must be one run of at most a quarter as many, four times or more,"""
_CIRCLE_EVERY = 16
"""looked at after so many tokens."""


def _between(before: Usage, after: Usage) -> Cost:
    return Cost(
        prefilled=after.prefilled - before.prefilled,
        cached=after.cached - before.cached,
        decoded=after.decoded - before.decoded,
    )


def _joined(so_far: Completion, piece: Piece) -> Completion:
    known = len(so_far.logprobs) == len(so_far.ids)
    return Completion(
        so_far.ids + piece.ids,
        so_far.text + piece.text,
        "length",
        so_far.logprobs + piece.logprobs if known else (),
        piece.usage,
    )

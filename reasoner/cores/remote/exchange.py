"""The seam between the core and the servers' own tongues: what is sent for one completion, and how events are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from reasoner.completions import Finish, Sampling, Scored, Usage


@dataclass(frozen=True)
class Delta:
    """What one event adds. `logprobs` None: the server did not say, so the completion has none."""

    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] | None = ()
    finish: Finish | None = None


def bias(sampling: Sampling) -> dict[int, float]:
    """What is added to the logits of some ids so that they are never drawn, or first of all. A server adds it at every
    token, so ids that the first token must be one of are favoured only where each of them ends the completion."""
    first = sampling.only if set(sampling.only) <= set(sampling.stop_ids) else ()
    return dict.fromkeys(sampling.never, -_ENOUGH) | dict.fromkeys(first, _ENOUGH)


_ENOUGH = 100.0
"""The most that servers take."""


class Exchange(Protocol):
    """One completion: made for a request, fed its events in order."""

    path: str
    body: dict[str, Any]
    limit: int
    """Ids that the completion may have."""

    @property
    def settled(self) -> bool:
        """No later event will say more about what it cost."""
        ...

    def read(self, event: Any) -> Delta:
        """Raises `CoreError` when the event has another shape than this server's."""
        ...

    def usage(self, decoded: int) -> Usage:
        """What it cost, as far as the server told; `decoded` is the length of the completion."""
        ...


class Server(Protocol):
    """How one kind of server is spoken to."""

    @property
    def kind(self) -> str: ...

    def exchange(self, prefix: Sequence[int], sampling: Sampling) -> Exchange: ...

    def scoring(self, ids: Sequence[int]) -> tuple[str, dict[str, Any]] | None:
        """Path and body that have `ids` scored; None when the server cannot."""
        ...

    def scores(self, answer: Any, ids: Sequence[int], start: int) -> Scored:
        """Log-probabilities of `ids[start:]` out of the answer to `scoring`, and what it cost as far as it tells."""
        ...

    def tokenizing(self, text: str) -> tuple[str, dict[str, Any]]:
        """Path and body that have `text` turned into ids, without special tokens; the answer's `tokens` holds them."""
        ...

"""What is said to a core and by one: frozen records, token ids plain `int`, log-probabilities natural.

How a prefix is to be continued and what was written after it; what else a core can say of a text; what a core is.
"""

from dataclasses import dataclass
from typing import Literal

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Sampling:
    """How to continue a prefix. `temperature` 0 is greedy; `top_k` 0, `top_p` 1 and `min_p` 0 switch a filter off.

    Sampling ends after the token that is in `stop_ids`, after the token that completes one of the strings in `stop`
    (both are part of the completion), or after `max_tokens`.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int = 0
    max_tokens: int = 512
    stop_ids: tuple[int, ...] = ()
    stop: tuple[str, ...] = ()
    without: tuple[int, ...] = ()
    """Ids that the first token is not, unless there is no other; a server's core may not know how."""
    only: tuple[int, ...] = ()
    """Ids of which the first token is one, empty for any; a server knows how where these are stops."""
    never: tuple[int, ...] = ()
    """Ids that no token is; a chat server does not know how."""


@dataclass(frozen=True)
class Usage:
    """Tokens that a call of a core cost: computed afresh, found in a cache, and sampled."""

    prefilled: int = 0
    cached: int = 0
    decoded: int = 0


@dataclass(frozen=True)
class Completion:
    """What a core wrote after a prefix. `text` is the decoded `ids`, the token that stopped it included."""

    ids: tuple[int, ...]
    text: str
    finish: Finish
    logprobs: tuple[float, ...] = ()
    usage: Usage = Usage()


@dataclass(frozen=True)
class Piece:
    """A part of a stream: what is new since the last piece. The last one carries the whole completion."""

    ids: tuple[int, ...]
    text: str
    done: Completion | None = None
    logprobs: tuple[float, ...] = ()
    usage: Usage = Usage()
    """What the completion has cost so far, as far as the core knows: a server may tell only at the end."""


@dataclass(frozen=True)
class Scored:
    """How likely a core finds a given text: natural-log probabilities of its tokens, and what reading it cost."""

    logprobs: tuple[float, ...]
    usage: Usage = Usage()


@dataclass(frozen=True)
class Valued:
    """What a reward head says of a given text, 0..1, and what reading it cost."""

    value: float
    usage: Usage = Usage()


@dataclass(frozen=True)
class CoreInfo:
    """What a core is and can do."""

    name: str
    digest: str
    """Hash of weights and adapter, hex; two cores with one digest give the same tokens."""
    context: int
    """Positions, prompt and completion together."""
    dtype: str = ""
    token_ids: bool = True
    """Takes and returns exact ids of its own vocabulary."""
    can_score: bool = False
    heads: tuple[str, ...] = ()
    """Reward heads that read its hidden state, by name."""
    rows: int = 32
    """Completions that it computes side by side; more wait their turn."""

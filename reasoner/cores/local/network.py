"""What the engine needs of a network: a pool of slots, and a forward pass over a ragged batch."""

from typing import Protocol

import torch

from reasoner.cores.local.plan import Batch


class Network(Protocol):
    context: int
    vocabulary: int
    """Columns of the logits."""
    device: torch.device
    keeps_hidden: bool
    """Whether `forward` returns hidden states, small enough to keep one for every prompt, and fit for reward heads."""
    shares: bool
    """Whether `forward` reads the shared runs of a batch."""
    bytes_per_token: int
    nearly_free: int
    """Tokens that one pass computes in about the time of one: reading the weights takes longer than using them."""

    def allocate(self, slots: int) -> None:
        """Make the pool."""
        ...

    def forward(self, batch: Batch) -> torch.Tensor:
        """Compute the batch's tokens and fill their slots; what `logits` takes, for the tokens that are wanted."""
        ...

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(rows, vocabulary), of any float type."""
        ...

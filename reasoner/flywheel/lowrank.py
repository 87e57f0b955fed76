"""peft's adapted linear layer with a pass of its own: the same sums, fewer passes over memory.

A small model multiplies its matrices quickly, and what adapters do beside them takes a good part of a step: peft casts
what comes in to float32, scales what comes out, and adds it, each a pass over all of it and another one back. Here the
scale goes into the small matrix, and a product is added where it is computed.
"""

from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners import lora


class Linear(lora.Linear):
    """Takes the place of `peft.tuners.lora.Linear` in training; parameters, names and saving are peft's."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        name = self.active_adapters[0]
        down, up, frozen = self.lora_A[name].weight, self.lora_B[name].weight, self.get_base_layer()
        found: torch.Tensor = _Product.apply(  # type: ignore[no-untyped-call]
            x, frozen.weight, frozen.bias, down, up, self.scaling[name]
        )
        return found


class _Product(torch.autograd.Function):
    """x W' + b + scale x A' B', with W (out, in) and b frozen, A (rank, in) and B (out, rank) trained."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, down: torch.Tensor,
        up: torch.Tensor, scale: float,
    ) -> torch.Tensor:  # fmt: skip
        kind = weight.dtype
        flat, down, up = x.reshape(-1, x.shape[-1]).to(kind), down.to(kind), (scale * up).to(kind)
        low = flat @ down.T
        ctx.save_for_backward(flat, weight, down, up, low)
        ctx.scale, ctx.given = scale, x.dtype
        return F.linear(flat, weight, bias).addmm_(low, up.T).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        flat, weight, down, up, low = ctx.saved_tensors
        (given,) = gradients
        over = given.reshape(-1, given.shape[-1]).to(weight.dtype)
        back = over @ up
        to_down, to_up = (back.T @ flat).float(), ctx.scale * (over.T @ low).float()
        to_x = (over @ weight).addmm_(back, down).view(*given.shape[:-1], -1).to(ctx.given)
        return to_x, None, None, to_down, to_up, None

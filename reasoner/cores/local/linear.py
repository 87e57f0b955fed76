"""Matrices times rows of activations, in the form that is quickest on the device at hand.

All take (rows, in) of any float type and return (rows, out) in the weights' own type.
"""

from typing import Protocol

import torch
import torch.nn.functional as F

from reasoner.cores.local.precision import packs_bfloat16


class Linear(Protocol):
    """`x @ weight.T + bias`."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor: ...


class Plain:
    """As torch has it."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x.to(self._weight.dtype), self._weight, self._bias)


class Packed:
    """On a CPU, packed once for oneDNN: 1.5 to 5 times faster than plain, which is reordered at every call."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        self._bias = bias
        self._dtype = weight.dtype

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        x = x.to(self._dtype)
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        return out


class Quartered:
    """4-bit weights on a CPU: 16 evenly spaced values for every 32 weights of a row.

    A few rows are multiplied straight from the 4 bits, a quarter of bfloat16's traffic. Many rows cost more arithmetic
    than traffic, and are multiplied by the same values in the type they came in: the model is the same whatever
    shares its batch.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        codes = torch.empty(weight.shape, dtype=torch.int32)
        grid = torch.empty(weight.shape[1] // _GROUP, len(weight), 2, dtype=torch.bfloat16)
        values = torch.empty_like(weight)
        for at in range(0, len(weight), _BLOCK):
            block = slice(at, at + _BLOCK)
            codes[block], grid[:, block], values[block] = _on_a_grid(weight[block].float())
        self._codes = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1)
        self._grid = grid
        self._bias = bias
        self._many = make_linear(values, bias, quartered=False)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > FEW:
            return self._many(x)
        x = x.to(torch.bfloat16)
        out: torch.Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(x, self._codes, _GROUP, self._grid)
        return out if self._bias is None else out.add_(self._bias)


def _on_a_grid(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes from 0 to 15 of (n, k) weights, step and middle of every group (k / 32, n, 2), and the values that codes
    stand for. Of several widths of the grid each group takes the one with the least squared error."""
    groups = rows.view(len(rows), -1, _GROUP)
    least, most = groups.amin(-1, keepdim=True), groups.amax(-1, keepdim=True)
    found = torch.full_like(least, float("inf"))
    codes, values = torch.empty_like(groups), torch.empty_like(groups)
    steps, middles = torch.empty_like(least), torch.empty_like(least)
    for width in _WIDTHS:
        step = ((most - least) * width / 15).clamp_(min=1e-12).bfloat16().float()
        middle = ((most + least) / 2 + step / 2).bfloat16().float()
        code = ((groups - middle) / step + 8).round_().clamp_(0, 15)
        value = (code - 8) * step + middle
        error = (value - groups).square_().sum(-1, keepdim=True)
        better = error < found
        found = torch.where(better, error, found)
        steps, middles = torch.where(better, step, steps), torch.where(better, middle, middles)
        codes, values = torch.where(better, code, codes), torch.where(better, value, values)
    grid = torch.cat((steps, middles), dim=-1).transpose(0, 1)
    return codes.view_as(rows).int(), grid, values.view_as(rows)


def make_linear(weight: torch.Tensor, bias: torch.Tensor | None, *, quartered: bool) -> Linear:
    """The quickest form of a matrix (out, in). `quartered` asks for 4 bits a weight."""
    if quartered:
        return Quartered(weight, bias)
    if weight.device.type == "cpu" and _can_pack(weight.dtype):
        return Packed(weight, bias)
    return Plain(weight, bias)


def _can_pack(dtype: torch.dtype) -> bool:
    if dtype == torch.bfloat16:
        return packs_bfloat16()
    return dtype == torch.float32 and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


_BLOCK = 256
"""Rows of a weight that are rounded at a time: they stay in the cache."""
_GROUP = 32
_WIDTHS = (1.0, 0.95, 0.9, 0.85, 0.8)
"""How much of a group's range the grid spans; what lies beyond is clipped."""
FEW = 4
"""Rows up to which reading 4 bits is quicker than reading 16 and multiplying faster (benchmarks/core.md)."""
_ROWS = 32
"""The batch that the packed layout is chosen for."""

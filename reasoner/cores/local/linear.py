"""Matrices times rows of activations, in the form that is quickest on the device at hand.

All take (rows, in) of any float type and return (rows, out): float32 from int8 weights, else the weights' own type.
"""

from typing import Protocol

import torch
import torch.nn.functional as F

from reasoner.errors import CoreError


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
    """bfloat16 on a CPU, packed once for oneDNN: 1.5 to 5 times faster than plain, which is reordered at every call."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
        self._bias = bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        x = x.to(torch.bfloat16)
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        return out


class Quantised:
    """int8 on a CPU: a scale for every row of the weight, and one for every row of activations as it comes in.

    Half of bfloat16's memory, and up to twice its speed where the CPU multiplies bytes (VNNI, AMX).
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        whole = torch.empty(weight.shape, dtype=torch.int8)
        self._scales = torch.empty(len(weight))
        for at in range(0, len(weight), _BLOCK):
            block = slice(at, at + _BLOCK)
            numbers, self._scales[block, None] = _steps(weight[block].float())
            whole[block] = numbers
        self._weight = torch.ops.onednn.qlinear_prepack(whole, None)
        self._zeros = torch.zeros(len(whole), dtype=torch.int64)
        self._bias = None if bias is None else bias.float()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        numbers, scales = _steps(x.float())
        whole = numbers.add_(128).to(torch.uint8)
        out: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            whole, 1.0, 128, self._weight, self._scales, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return out.mul_(scales) if self._bias is None else torch.addcmul(self._bias, out, scales)


def _steps(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Each row in whole steps from -127 to 127, and the size of its step, (rows, 1)."""
    size = torch.linalg.vector_norm(rows, float("inf"), dim=1, keepdim=True).clamp_(min=1e-12).div_(127)
    return (rows / size).round_(), size


def make_linear(weight: torch.Tensor, bias: torch.Tensor | None, *, whole: bool) -> Linear:
    """The quickest form of a matrix (out, in). `whole` asks for int8: a `CoreError` where it would be wrong."""
    if whole:
        if weight.device.type != "cpu" or not torch.cpu._is_vnni_supported():
            raise CoreError("int8 needs a CPU that multiplies bytes without overflow (VNNI): choose bfloat16")
        return Quantised(weight, bias)
    if weight.device.type == "cpu" and weight.dtype == torch.bfloat16 and _can_pack():
        return Packed(weight, bias)
    return Plain(weight, bias)


def _can_pack() -> bool:
    return bool(torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())  # type: ignore[no-untyped-call]


_BLOCK = 256
"""Rows of a weight that are rounded at a time: they stay in the cache."""
_ROWS = 32
"""The batch that the packed layout is chosen for."""

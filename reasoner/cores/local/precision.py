"""Which numbers a model is computed in where nobody says."""

import torch


def chosen(dtype: str, device: torch.device) -> str:
    """`dtype` itself, or what `auto` stands for: bfloat16 where the device multiplies it, else float32.

    A CPU without AVX-512 has no instruction for bfloat16, and undoing each number takes fifteen times as long
    as float32 does (benchmarks/core.md).
    """
    if dtype != "auto":
        return dtype
    return "bfloat16" if device.type != "cpu" or multiplies_bfloat16() else "float32"


def multiplies_bfloat16() -> bool:
    """Whether this CPU does."""
    return bool(torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())  # type: ignore[no-untyped-call]

"""In which numbers a model is computed where nobody says so."""

import platform

import torch


def chosen(dtype: str, device: torch.device) -> str:
    """`dtype` itself, or what `auto` stands for: bfloat16 where the device multiplies it, else float32.

    A CPU without instructions for bfloat16 is slower by it: three to four times where oneDNN undoes the numbers with
    AVX-512, fifteen times where nothing does (benchmarks/core.md).
    """
    if dtype != "auto":
        return dtype
    return "bfloat16" if device.type != "cpu" or multiplies_bfloat16() else "float32"


def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions that do."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return packs_bfloat16()


def packs_bfloat16() -> bool:
    """Whether oneDNN does on this CPU, be it by way of float32."""
    return bool(torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())  # type: ignore[no-untyped-call]

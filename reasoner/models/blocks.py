"""ggml's block formats, undone: raw bytes -> float32 -> bfloat16. Knows nothing of files or models.

A row of a tensor is a run of blocks; a block is a few scales and packed integers. Layouts and the order of operations
are those of ggml's `dequantize_row_*` (ggml-quants.c), so float32 results are equal bit for bit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Format:
    """A block format: `values` numbers in `size` bytes. `decode` takes (blocks, size) and gives (blocks, values)."""

    name: str
    values: int
    size: int
    decode: Callable[[Bytes], Floats]


def bfloat16(values: Floats) -> NDArray[np.uint16]:
    """Round to nearest even; `values` must be contiguous and is overwritten. The result holds bfloat16 bit patterns."""
    bits = values.view(np.uint32)
    bits += ((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF)
    return (bits >> np.uint32(16)).astype("<u2")


def _f32(blocks: Bytes) -> Floats:
    return blocks.view("<f4").astype(np.float32)


def _f16(blocks: Bytes) -> Floats:
    return blocks.view("<f2").astype(np.float32)


def _bf16(blocks: Bytes) -> Floats:
    return (blocks.view("<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)


def _half(blocks: Bytes, at: int) -> Floats:
    """The float16 at byte `at` of each block, shape (blocks, 1)."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _nibbles(packed: Bytes) -> Bytes:
    """All low halves, then all high halves, along the last axis."""
    return np.concatenate((packed & np.uint8(15), packed >> np.uint8(4)), axis=-1)


def _fifth(blocks: Bytes, at: int) -> Bytes:
    """Bits of a little-endian 32-bit word, one a value, in the place of the fifth bit."""
    return np.unpackbits(blocks[:, at : at + 4], axis=1, bitorder="little") << np.uint8(4)


def _q4_0(blocks: Bytes) -> Floats:
    return (_nibbles(blocks[:, 2:]).view(np.int8) - np.int8(8)).astype(np.float32) * _half(blocks, 0)


def _q4_1(blocks: Bytes) -> Floats:
    return _nibbles(blocks[:, 4:]).astype(np.float32) * _half(blocks, 0) + _half(blocks, 2)


def _q5_0(blocks: Bytes) -> Floats:
    whole = (_nibbles(blocks[:, 6:]) | _fifth(blocks, 2)).view(np.int8) - np.int8(16)
    return whole.astype(np.float32) * _half(blocks, 0)


def _q5_1(blocks: Bytes) -> Floats:
    whole = _nibbles(blocks[:, 8:]) | _fifth(blocks, 4)
    return whole.astype(np.float32) * _half(blocks, 0) + _half(blocks, 2)


def _q8_0(blocks: Bytes) -> Floats:
    return np.ascontiguousarray(blocks[:, 2:]).view(np.int8).astype(np.float32) * _half(blocks, 0)


def _k_scales(blocks: Bytes) -> tuple[Floats, Floats]:
    """Scale and minimum of each of the 8 sub-blocks of 32, shapes (blocks, 8, 1): six bits each, in bytes 4 to 16."""
    a, b, c = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    high = np.uint8(4)
    scale = np.concatenate((a & np.uint8(63), (c & np.uint8(15)) | (a >> np.uint8(6) << high)), axis=1)
    least = np.concatenate((b & np.uint8(63), (c >> high) | (b >> np.uint8(6) << high)), axis=1)
    d, dmin = _half(blocks, 0), _half(blocks, 2)
    return (d * scale.astype(np.float32))[:, :, None], (dmin * least.astype(np.float32))[:, :, None]


def _k_nibbles(packed: Bytes) -> Bytes:
    """128 bytes a block -> (blocks, 8, 32): of each 32 bytes the low halves, then the high halves."""
    return _nibbles(packed.reshape(-1, 4, 32)).reshape(-1, 8, 32)


def _q4_k(blocks: Bytes) -> Floats:
    scale, least = _k_scales(blocks)
    return (scale * _k_nibbles(blocks[:, 16:]).astype(np.float32) - least).reshape(-1, 256)


def _q5_k(blocks: Bytes) -> Floats:
    scale, least = _k_scales(blocks)
    bits = np.unpackbits(blocks[:, 16:48, None], axis=2, bitorder="little").swapaxes(1, 2)
    whole = _k_nibbles(blocks[:, 48:]) | (bits << np.uint8(4))
    return (scale * whole.astype(np.float32) - least).reshape(-1, 256)


def _q6_k(blocks: Bytes) -> Floats:
    low = _nibbles(blocks[:, :128].reshape(-1, 2, 64)).reshape(-1, 2, 4, 32)
    shift = np.array([0, 2, 4, 6], dtype=np.uint8)[:, None]
    high = (blocks[:, 128:192].reshape(-1, 2, 1, 32) >> shift) & np.uint8(3)
    whole = (low | (high << np.uint8(4))).view(np.int8) - np.int8(32)
    scale = _half(blocks, 208) * np.ascontiguousarray(blocks[:, 192:208]).view(np.int8).astype(np.float32)
    return (scale[:, :, None] * whole.reshape(-1, 16, 16).astype(np.float32)).reshape(-1, 256)


FORMATS = {
    0: Format("F32", 1, 4, _f32),
    1: Format("F16", 1, 2, _f16),
    2: Format("Q4_0", 32, 18, _q4_0),
    3: Format("Q4_1", 32, 20, _q4_1),
    6: Format("Q5_0", 32, 22, _q5_0),
    7: Format("Q5_1", 32, 24, _q5_1),
    8: Format("Q8_0", 32, 34, _q8_0),
    12: Format("Q4_K", 256, 144, _q4_k),
    13: Format("Q5_K", 256, 176, _q5_k),
    14: Format("Q6_K", 256, 210, _q6_k),
    30: Format("BF16", 1, 2, _bf16),
}
"""By ggml's number of the type."""

"""Block formats against values that ggml's own Python reference (gguf 0.19) decoded from random blocks."""

from pathlib import Path

import numpy as np
import pytest

from reasoner.models.blocks import FORMATS, bfloat16

GOLDEN = np.load(Path(__file__).parent / "golden" / "blocks.npz")


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: FORMATS[kind].name)
def test_a_format_decodes_to_the_reference_bit_for_bit(kind: int) -> None:
    blocks, values = GOLDEN[f"{kind}_raw"], GOLDEN[f"{kind}_values"]
    assert blocks.shape[1:] == (FORMATS[kind].size,)
    assert values.shape[1:] == (FORMATS[kind].values,)
    assert np.array_equal(FORMATS[kind].decode(blocks).reshape(values.shape), values)


def test_bfloat16_rounds_to_nearest_and_ties_to_even() -> None:
    bits = np.array([0x3F800000, 0x3F807FFF, 0x3F808000, 0x3F808001, 0x3F818000, 0xBF808001], dtype=np.uint32)
    expected = [0x3F80, 0x3F80, 0x3F80, 0x3F81, 0x3F82, 0xBF81]
    assert bfloat16(bits.view(np.float32)).tolist() == expected


def test_bfloat16_agrees_with_torch_on_random_values() -> None:
    import torch

    values = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
    expected = torch.from_numpy(values.copy()).to(torch.bfloat16).view(torch.uint16).numpy()
    assert np.array_equal(bfloat16(values), expected)

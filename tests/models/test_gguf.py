import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoner.errors import ModelError
from reasoner.models.gguf import read

Make = Callable[[str], Any]


def test_metadata_and_tensors_are_read_as_they_were_written(make: Make, tmp_path: Path) -> None:
    made = make("llama")
    found = read(made.write(tmp_path / "a.gguf"))
    eps = "llama.attention.layer_norm_rms_epsilon"
    assert found.metadata == made.metadata | {eps: pytest.approx(1e-6)}
    raw = found.path.read_bytes()
    for name, (kind, shape, data) in made.tensors.items():
        tensor = found.tensors[name]
        assert (tensor.type, tensor.shape) == (kind, shape)
        assert raw[tensor.start : tensor.start + len(data)] == data


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot mmap|whole GGUF"),
        (b"PK\x03\x04" + b"\0" * 60, "does not begin with GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version is 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**63), "a string runs past the end"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "whole GGUF"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 4, 2**61), "an array runs past"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<I", 99), "unknown metadata type 99"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 9, 1), "array of metadata type 9"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 0, 1) + b"t" + struct.pack("<I", 7), "out of bounds"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 0, 1) + b"t" + struct.pack("<IQ", 1, 2**62), "has the shape"),
    ],
)
def test_a_damaged_file_is_one_clear_error(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=says):
        read(path)


def test_a_file_cut_anywhere_in_its_head_is_a_clear_error(make: Make, tmp_path: Path) -> None:
    whole = make("qwen2").write(tmp_path / "a.gguf").read_bytes()
    for end in range(1, 3000, 97):
        (tmp_path / "b.gguf").write_bytes(whole[:end])
        with pytest.raises(ModelError):
            read(tmp_path / "b.gguf")


def test_a_missing_value_and_one_of_another_kind_are_named(make: Make, tmp_path: Path) -> None:
    found = read(make("llama").write(tmp_path / "a.gguf"))
    for key in ("llama.nothing", "tokenizer.ggml.model"):
        with pytest.raises(ModelError, match=key):
            found.get(key, int)

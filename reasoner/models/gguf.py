"""Reads the GGUF container: metadata, and where each tensor lies. Decodes no tensor and trusts no number in the file.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
"""

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from reasoner.errors import ModelError

T = TypeVar("T")
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_NAME_LIMIT, _DIMENSIONS = 1024, 4


@dataclass(frozen=True)
class Stored:
    """A tensor in the file. `shape` is outermost first, as numpy and torch write it."""

    name: str
    shape: tuple[int, ...]
    type: int
    """ggml's number of the block format."""
    start: int
    """Byte offset in the file."""


@dataclass(frozen=True)
class Gguf:
    path: Path
    size: int
    metadata: Mapping[str, Any]
    tensors: Mapping[str, Stored]

    def get(self, key: str, kind: type[T]) -> T:
        """A metadata value that must be there, and be of that kind.

        Raises:
            ModelError: it is not.
        """
        value = self.metadata.get(key)
        if not isinstance(value, kind):
            raise ModelError(f"{self.path} gives no usable {key}, so it cannot be converted: fetch another GGUF file")
        return value


def read(path: Path) -> Gguf:
    """Read the header of a GGUF file.

    Raises:
        ModelError: it is not one, of another version, or damaged.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return _parse(path, _Cursor(view))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, struct.error) as error:
        raise ModelError(f"{path} is not a whole GGUF file ({error}): fetch it again") from error


class _Cursor:
    def __init__(self, view: mmap.mmap) -> None:
        self.view, self.at, self.size = view, 0, len(view)

    def scalar(self, code: str) -> Any:
        (value,) = struct.unpack_from(code, self.view, self.at)
        self.at += struct.calcsize(code)
        return value

    def string(self) -> str:
        end = self.at + 8 + struct.unpack_from("<Q", self.view, self.at)[0]
        if end > self.size:
            raise ValueError("a string runs past the end")
        text = self.view[self.at + 8 : end].decode("utf-8")
        self.at = end
        return text

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array()
        if kind not in _SCALARS:
            raise ValueError(f"unknown metadata type {kind}")
        return self.scalar(_SCALARS[kind])

    def array(self) -> list[Any]:
        kind, count = self.scalar("<I"), self.scalar("<Q")
        if kind == _STRING:
            return [self.string() for _ in range(count)]
        if kind not in _SCALARS:
            raise ValueError(f"an array of metadata type {kind}")
        code = _SCALARS[kind]
        end = self.at + count * struct.calcsize(code)
        if end > self.size:
            raise ValueError("an array runs past the end")
        values = [item for (item,) in struct.iter_unpack(code, self.view[self.at : end])]
        self.at = end
        return values


def _parse(path: Path, cursor: _Cursor) -> Gguf:
    if cursor.view[:4] != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    cursor.at = 4
    version = cursor.scalar("<I")
    if version not in (2, 3):
        raise ValueError(f"its version is {version}, not 2 or 3")
    tensors, pairs = cursor.scalar("<Q"), cursor.scalar("<Q")
    metadata = {}
    for _ in range(pairs):
        key = cursor.string()
        metadata[key] = cursor.value(cursor.scalar("<I"))
    found = [_tensor(cursor) for _ in range(tensors)]
    align = metadata.get("general.alignment", 32)
    if not isinstance(align, int) or align <= 0:
        raise ValueError(f"its alignment is {align}")
    base = -(-cursor.at // align) * align
    placed = {t.name: Stored(t.name, t.shape, t.type, base + t.start) for t in found}
    return Gguf(path, cursor.size, metadata, placed)


def _tensor(cursor: _Cursor) -> Stored:
    name, dimensions = cursor.string(), cursor.scalar("<I")
    if len(name) > _NAME_LIMIT or not 0 < dimensions <= _DIMENSIONS:
        raise ValueError("a tensor's name or shape is out of bounds")
    shape = tuple(cursor.scalar("<Q") for _ in range(dimensions))[::-1]
    if not 0 < math.prod(shape) < 2**40:
        raise ValueError(f"tensor {name} has the shape {shape}")
    return Stored(name, shape, cursor.scalar("<I"), cursor.scalar("<Q"))

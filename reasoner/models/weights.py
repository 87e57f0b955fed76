"""Streams tensors of a GGUF file into a safetensors file: a few rows at a time, so memory stays small at any size.

The format written: https://huggingface.co/docs/safetensors, an 8-byte length, a JSON header, then the raw tensors.
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reasoner.errors import ModelError
from reasoner.models.blocks import FORMATS, Bytes, Floats, Format, bfloat16
from reasoner.models.gguf import Gguf, Stored
from reasoner.models.progress import Progress

Dtype = Literal["bfloat16", "float32"]
_CHUNK = 2**19
"""Values decoded at once: two megabytes of float32, which a core's cache holds."""
_THREADS = 2


@dataclass(frozen=True)
class Copy:
    """One tensor to write: `tensor` of the file under the name `name`."""

    name: str
    tensor: Stored
    heads: int = 0
    """Undo the row permutation of llama.cpp's rotary embedding, within each of so many heads; 0 for none."""


def form(gguf: Gguf, tensor: Stored) -> Format:
    """The block format of `tensor`.

    Raises:
        ModelError: it is not one of ours, or the tensor does not lie within the file.
    """
    found = FORMATS.get(tensor.type)
    if found is None:
        known = ", ".join(f.name for f in FORMATS.values())
        raise ModelError(
            f"{gguf.path.name} holds {tensor.name} in ggml's format {tensor.type}, which cannot be converted: "
            f"take a file in one of {known}"
        )
    if tensor.shape[-1] % found.values or tensor.start + _stored_bytes(tensor, found) > gguf.size:
        raise ModelError(f"{gguf.path} ends before its tensor {tensor.name} does: fetch it again")
    return found


def rows(gguf: Gguf, tensor: Stored, picked: Sequence[int]) -> Floats:
    """Some rows of a matrix, decoded: (len(picked), columns)."""
    row = _row_bytes(tensor, form(gguf, tensor))
    with gguf.path.open("rb") as file:
        raw = b"".join(os.pread(file.fileno(), row, tensor.start + i * row) for i in picked)
    return _decode(np.frombuffer(raw, np.uint8).reshape(len(picked), row), form(gguf, tensor))


def write(gguf: Gguf, copies: Sequence[Copy], path: Path, dtype: Dtype, progress: Progress) -> None:
    """Write `copies` to a new safetensors file, decoded and rounded to `dtype`.

    Raises:
        ModelError: a tensor cannot be decoded.
        OSError: the file cannot be written.
    """
    width = 2 if dtype == "bfloat16" else 4
    header, starts = _header(copies, dtype, width)
    progress.begin("converting", sum(math.prod(c.tensor.shape) for c in copies) * width)
    with gguf.path.open("rb") as source, path.open("wb") as target:
        target.write(header)
        target.flush()
        os.posix_fallocate(target.fileno(), 0, len(header) + sum(math.prod(c.tensor.shape) for c in copies) * width)
        jobs = [
            _Job(source.fileno(), target.fileno(), copy, form(gguf, copy.tensor), start, width)
            for copy, start in zip(copies, starts, strict=True)
        ]
        with ThreadPoolExecutor(_THREADS) as pool:
            pending = [pool.submit(job.run, first, count) for job in jobs for first, count in job.chunks()]
            try:
                for done in pending:
                    progress.advance(done.result())
            finally:
                pool.shutdown(cancel_futures=True)
        os.fsync(target.fileno())


@dataclass(frozen=True)
class _Job:
    source: int
    target: int
    copy: Copy
    form: Format
    start: int
    """Where the tensor begins in the target."""
    width: int

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Runs of rows, (first, count); never a part of a head."""
        total, columns = _matrix(self.copy.tensor)
        unit = total // self.copy.heads if self.copy.heads else 1
        step = max(1, _CHUNK // (columns * unit)) * unit
        for first in range(0, total, step):
            yield first, min(step, total - first)

    def run(self, first: int, count: int) -> int:
        """Convert `count` rows from `first`; the number of bytes written."""
        total, columns = _matrix(self.copy.tensor)
        row = _row_bytes(self.copy.tensor, self.form)
        raw = os.pread(self.source, count * row, self.copy.tensor.start + first * row)
        block = np.frombuffer(raw, np.uint8).reshape(count, row)
        if self.copy.heads:
            block = _unpermuted(block, total // self.copy.heads)
        values = _decode(block, self.form)
        data: NDArray[np.uint16] | Floats = bfloat16(values) if self.width == 2 else values
        _write_all(self.target, data.tobytes(), self.start + first * columns * self.width)
        return count * columns * self.width


def _decode(block: Bytes, form: Format) -> Floats:
    """(rows, bytes) -> (rows, columns), contiguous."""
    values = form.decode(np.ascontiguousarray(block).reshape(-1, form.size))
    return np.ascontiguousarray(values).reshape(len(block), -1)


def _unpermuted(block: Bytes, head: int) -> Bytes:
    """llama.cpp keeps a head's rows as pairs (0, h/2), (1, h/2+1), …; the original keeps its two halves apart."""
    pairs = block.reshape(-1, head // 2, 2, block.shape[1])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(block.shape)


def _matrix(tensor: Stored) -> tuple[int, int]:
    """(rows, columns); a vector is one row."""
    return math.prod(tensor.shape[:-1]), tensor.shape[-1]


def _row_bytes(tensor: Stored, form: Format) -> int:
    return tensor.shape[-1] // form.values * form.size


def _stored_bytes(tensor: Stored, form: Format) -> int:
    return _matrix(tensor)[0] * _row_bytes(tensor, form)


def _header(copies: Sequence[Copy], dtype: Dtype, width: int) -> tuple[bytes, list[int]]:
    """The file's head, and the byte at which each tensor begins."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offsets, at = [], 0
    for copy in copies:
        size = math.prod(copy.tensor.shape) * width
        code = "BF16" if dtype == "bfloat16" else "F32"
        entries[copy.name] = {"dtype": code, "shape": copy.tensor.shape, "data_offsets": [at, at + size]}
        offsets.append(at)
        at += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    return head, [len(head) + offset for offset in offsets]


def _write_all(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(file, view, at)
        view, at = view[done:], at + done

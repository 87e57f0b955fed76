"""Reads a Hugging Face model directory: `config.json` and the safetensors beside it, mapped, never copied whole.

The safetensors format (8 bytes of header length, a JSON header, raw little-endian tensors) is read here directly, so
that the mapping can be told to let its pages go once the weights are packed.
"""

import hashlib
import json
import mmap
from pathlib import Path
from typing import Any

import torch

from reasoner.errors import ModelError

_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


class Checkpoint:
    """The tensors of a model directory, by name, as views into mapped files.

    Raises:
        ModelError: no safetensors are there, one is cut short, or a tensor has a type that is not read here.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._maps: list[mmap.mmap] = []
        self._where: dict[str, tuple[mmap.mmap, int, dict[str, Any]]] = {}
        paths = weight_files(directory)
        for path in paths:
            self._map(path)

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def __getitem__(self, name: str) -> torch.Tensor:
        if name not in self._where:
            raise ModelError(f"{self.directory} has no tensor {name}: the weights do not fit its config.json")
        data, base, entry = self._where[name]
        dtype = _DTYPES.get(entry["dtype"])
        if dtype is None:
            raise ModelError(
                f"{self.directory} holds {name} as {entry['dtype']}: convert it to one of {', '.join(_DTYPES)}"
            )
        start, stop = entry["data_offsets"]
        if base + stop > len(data):
            raise ModelError(f"{self.directory} is cut short at tensor {name}: fetch the model again")
        flat = torch.frombuffer(data, dtype=dtype, count=(stop - start) // dtype.itemsize, offset=base + start)
        return flat.view(entry["shape"])

    def release_pages(self) -> None:
        """Let the kernel take back what was read; tensors stay valid and are paged in again where touched."""
        for data in self._maps:
            data.madvise(mmap.MADV_DONTNEED)
            data.madvise(mmap.MADV_RANDOM)

    def _map(self, path: Path) -> None:
        with path.open("rb") as file:
            head = file.read(8)
            length = int.from_bytes(head, "little")
            size = path.stat().st_size
            if len(head) < 8 or length + 8 > size:
                raise ModelError(f"{path} is not a safetensors file: fetch the model again")
            try:
                header = json.loads(file.read(length))
            except ValueError as error:
                raise ModelError(f"{path} has a broken header ({error}): fetch the model again") from error
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self._maps.append(data)
        for name, entry in header.items():
            if name != "__metadata__":
                self._where[name] = (data, 8 + length, entry)


def read_config(directory: Path) -> dict[str, Any]:
    """`config.json`. Raises `ModelError` when it is missing or not JSON."""
    path = directory / "config.json"
    if not path.is_file():
        raise ModelError(f"{directory} holds no config.json: point --model at a complete Hugging Face model directory")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error}): fetch the model again") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path} is not a JSON object: fetch the model again")
    return data


def weight_files(directory: Path) -> list[Path]:
    paths = sorted(directory.glob("*.safetensors"))
    if not paths:
        raise ModelError(f"{directory} holds no safetensors: convert its weights, or pull a model that has them")
    return paths


def fingerprint(directory: Path) -> str:
    """A hash that tells weights apart: the configuration, every header, and samples spread over every file.

    Reading all of a large file would double the cold start; training moves every tensor, so samples see it.
    """
    digest = hashlib.sha256((directory / "config.json").read_bytes())
    for path in weight_files(directory):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            for at in range(_SAMPLE, size, max(_SAMPLE, size // _SAMPLES)):
                file.seek(at)
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


_SAMPLE = 2**14
_SAMPLES = 256

"""Reads a Hugging Face model directory: `config.json` and the safetensors beside it, mapped, never copied whole.

The safetensors format (8 bytes of header length, a JSON header, raw little-endian tensors) is read here directly, so
that the mapping can be told to let its pages go once the weights are packed.
"""

import json
import mmap
from pathlib import Path
from typing import Any

import torch

from reasoner.errors import ModelError
from reasoner.models.directory import weights

_DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


class Checkpoint:
    """The tensors of a model directory, by name, as views into mapped files.

    The directory was found complete by `models.directory.check`.

    Raises:
        ModelError: on reading a tensor that is not there, or of a type that is not read here.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._maps: list[mmap.mmap] = []
        self._where: dict[str, tuple[mmap.mmap, int, dict[str, Any]]] = {}
        for path in weights(directory):
            self._map(path)

    def __contains__(self, name: str) -> bool:
        return name in self._where

    @property
    def names(self) -> tuple[str, ...]:
        """Of all tensors, in the order of the files."""
        return tuple(self._where)

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
        flat = torch.frombuffer(data, dtype=dtype, count=(stop - start) // dtype.itemsize, offset=base + start)
        return flat.view(entry["shape"])

    def release_pages(self) -> None:
        """Let the kernel take back what was read; tensors stay valid and are paged in again where touched."""
        for data in self._maps:
            data.madvise(mmap.MADV_DONTNEED)

    def _map(self, path: Path) -> None:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self._maps.append(data)
        for name, entry in header.items():
            if name != "__metadata__":
                self._where[name] = (data, 8 + length, entry)


def read_config(directory: Path) -> dict[str, Any]:
    """`config.json` of a directory that `models.directory.check` has found complete."""
    config: dict[str, Any] = json.loads((directory / "config.json").read_bytes())
    return config

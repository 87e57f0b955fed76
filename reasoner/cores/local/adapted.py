"""What an adapter adds to a model's tensors: low-rank sums in float32, and the control tokens' own rows.

Weights are adapted once, when they are read, so an adapted core computes as fast as its base.
"""

from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file

from reasoner.cores.local.checkpoint import Checkpoint
from reasoner.errors import ModelError
from reasoner.models.adapter import MATRICES, PREFIX, ROWS, Adapter

EMBEDDING, OUTPUT = "model.embed_tokens.weight", "lm_head.weight"


class Trained:
    """The files of the adapter in `held`, which `models.adapter.read` has found whole and fit for the model."""

    def __init__(self, held: Path, known: Adapter) -> None:
        self._held = held
        self._scale = known.alpha / known.rank
        self._low = load_file(held / MATRICES)
        self._ids = list(known.controls.values())
        self._rows = load_file(held / ROWS) if known.controls else {}

    @property
    def modules(self) -> set[str]:
        """Names of the modules whose weight is adapted."""
        return {name.removeprefix(PREFIX).partition(".lora_")[0] for name in self._low}

    def place_in(self, modules: set[str]) -> None:
        """Raises `ModelError` when a module that is adapted is none of these."""
        if strange := sorted(self.modules - modules):
            raise ModelError(f"{self._held} adapts {strange[0]}, which this model does not have: use its own base")

    def add(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        """The weight of that name with what was trained added, in float32; one that is not adapted as it is."""
        module = PREFIX + name.removesuffix(".weight")
        if f"{module}.lora_A.weight" not in self._low:
            return weight
        down, up = (self._low[f"{module}.lora_{side}.weight"].to(weight.device, torch.float32) for side in "AB")
        return torch.addmm(weight.float(), up, down, alpha=self._scale)

    def with_rows(self, which: Literal["embedding", "output"], matrix: torch.Tensor) -> torch.Tensor:
        """A copy of the matrix that holds the control tokens' rows, made longer where it has none of that number."""
        rows = self._rows.get(which)
        if rows is None:
            return matrix
        missing = max(0, max(self._ids) + 1 - len(matrix))
        matrix = torch.cat([matrix, matrix.new_zeros(missing, matrix.shape[1])]) if missing else matrix.clone()
        matrix[self._ids] = rows.to(matrix)
        return matrix


class Adapted(Checkpoint):
    """A model directory with an adapter over it. Rows are rounded to `dtype`, the others are left to whoever reads.

    Raises:
        ModelError: as `Checkpoint`, or the adapter has no place in this model.
    """

    def __init__(self, directory: Path, trained: Trained, dtype: torch.dtype) -> None:
        super().__init__(directory)
        self._trained, self._dtype = trained, dtype
        self._matrices: dict[str, torch.Tensor] = {}
        trained.place_in({name.removesuffix(".weight") for name in self.names})

    def __getitem__(self, name: str) -> torch.Tensor:
        if name not in (EMBEDDING, OUTPUT):
            return self._trained.add(name, super().__getitem__(name))
        if name not in self._matrices:
            matrix = self._trained.add(name, super().__getitem__(name)).to(self._dtype)
            which: Literal["embedding", "output"] = "embedding" if name == EMBEDDING else "output"
            self._matrices[name] = self._trained.with_rows(which, matrix)
        return self._matrices[name]

"""Reward heads: a linear map from the last hidden state to a number in 0..1."""

import re
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file

from reasoner.errors import CoreError


def known_heads(directory: Path) -> tuple[str, ...]:
    """The names of the heads that a directory has."""
    return tuple(sorted(path.stem for path in (directory / "heads").glob("*.safetensors")))


def load_head(directory: Path, name: str) -> Callable[[torch.Tensor], float]:
    """The head `heads/<name>.safetensors`. Raises `CoreError` when there is none of that name."""
    path = directory / "heads" / f"{name}.safetensors"
    if not re.fullmatch(r"[\w.-]+", name) or not path.is_file():
        known = ", ".join(known_heads(directory)) or "none"
        raise CoreError(
            f"{directory.name} has no reward head {name!r} (it has {known}): train one, or use another verifier"
        )
    tensors = load_file(path)
    weight = tensors["weight"].float().reshape(-1)
    bias = float(tensors["bias"].float().reshape(-1)[0]) if "bias" in tensors else 0.0

    def judge(hidden: torch.Tensor) -> float:
        return float(torch.sigmoid(hidden @ weight + bias))

    return judge

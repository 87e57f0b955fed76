"""Whether a folder is a complete Hugging Face model directory, told from names and sizes alone."""

import hashlib
import json
from pathlib import Path
from typing import Any

from reasoner.errors import ModelError

ORIGIN = "reasoner.json"
_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def check(directory: Path) -> Path:
    """Return `directory` if a core can be loaded from it.

    Raises:
        ModelError: config.json, tokenizer.json or the weights are missing or cut short.
    """
    config = _json(directory, "config.json", "its shape is not known")
    if "model_type" not in config:
        raise ModelError(f"{directory}/config.json names no model_type: point at a Hugging Face model directory")
    _json(directory, "tokenizer.json", "its text cannot be turned into tokens")
    for path in weights(directory):
        _check_whole(path)
    return directory


def weights(directory: Path) -> list[Path]:
    """The weight files, in the order of their names.

    Raises:
        ModelError: there are none, or none that can be read without running code.
    """
    if (directory / _SINGLE).is_file():
        return [directory / _SINGLE]
    if (directory / _INDEX).is_file():
        shards = _json(directory, _INDEX, "its weights are not known").get("weight_map")
        if isinstance(shards, dict) and shards:
            return [directory / Path(name).name for name in sorted(set(map(str, shards.values())))]
    pickled = sorted(path.name for path in directory.glob("*.bin"))
    cause = f"only {pickled[0]}, a pickle, which can run code" if pickled else "no *.safetensors"
    raise ModelError(f"{directory} holds no weights ({cause}): save the model with safetensors")


def digest(directory: Path) -> str:
    """Hex digest of what a model is: two directories with one digest give the same tokens.

    What we converted says it in its note of origin; of any other directory configuration and weights are hashed, about
    a second for a gigabyte.
    """
    origin = directory / ORIGIN
    if origin.is_file():
        return str(_json(directory, ORIGIN, "its origin is not known").get("digest", ""))
    whole = hashlib.sha256((directory / "config.json").read_bytes())
    for path in weights(directory):
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _json(directory: Path, name: str, consequence: str) -> dict[str, Any]:
    path = directory / name
    if not path.is_file():
        raise ModelError(
            f"{directory} holds no {name}, so {consequence}: point at a complete Hugging Face model directory"
        )
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error}): fetch the model again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} does not hold a JSON object: fetch the model again")
    return found


def _check_whole(path: Path) -> None:
    """A safetensors file says in its head how long it is."""
    if not path.is_file():
        raise ModelError(f"{path} is missing, though the index names it: fetch the model again")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = int.from_bytes(file.read(8), "little")
        try:
            tensors = json.loads(file.read(head)) if head < size else {}
            end = max(tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__")
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            end = -1
    if end < 0 or 8 + head + end != size:
        raise ModelError(f"{path} is cut short or no safetensors file: fetch the model again")

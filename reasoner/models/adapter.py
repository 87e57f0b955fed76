"""An adapter: what training adds to a model, as a directory. What it holds is checked here without loading any of it.

    adapter.json                 what it is: base model, size of the matrices, control tokens, where it comes from
    adapter_model.safetensors    low-rank matrices under peft's names
    control_rows.safetensors     float32 `embedding` (controls, hidden); `output` too where the base does not tie them
    heads/NAME.safetensors       reward heads, if any

Rows stand in the order of `controls`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from reasoner.errors import ModelError

VERSION = 1
MANIFEST, MATRICES, ROWS, HEADS = "adapter.json", "adapter_model.safetensors", "control_rows.safetensors", "heads"
PREFIX = "base_model.model."
"""What stands before a module's own name in a name of peft's; `.lora_A.weight` or `.lora_B.weight` follow it."""


@dataclass(frozen=True)
class Adapter:
    """What `adapter.json` says."""

    base: str
    """Name of the model."""
    base_digest: str
    """Hash of its weights, as `models.digest` gives it."""
    rank: int
    alpha: int
    """The product of the matrices is scaled by alpha / rank."""
    targets: tuple[str, ...]
    """Last parts of the modules' names."""
    controls: Mapping[str, int] = field(default_factory=dict)
    """Text of each control token -> the row that it renames."""
    lineage: Mapping[str, Any] = field(default_factory=dict)
    """Parent, data, recipe and figures: for people, and for the gate."""
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of every other file, heads apart: these may be added later."""
    version: int = VERSION

    @property
    def digest(self) -> str:
        """What tells one adapter from another: base and files."""
        text = json.dumps([self.base_digest, self.alpha, dict(self.controls), dict(sorted(self.files.items()))])
        return hashlib.sha256(text.encode()).hexdigest()


def read(directory: Path, base_digest: str | None = None) -> Adapter:
    """The adapter in `directory`, its files checked by their hash.

    Raises:
        ModelError: it is no adapter, is damaged, or belongs to another model than the one with `base_digest`.
    """
    path = directory / MANIFEST
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Adapter)
        actual = {name: _sha256(directory / name) for name in found.files if Path(name).name == name}
    except OSError as error:
        raise ModelError(
            f"{directory} is no adapter ({Path(error.filename or path).name}: {error.strerror}): "
            "give a directory that `reasoner train` wrote"
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read ({error}): train it again") from error
    if found.version != VERSION:
        raise ModelError(f"{directory} is an adapter of version {found.version}, this program reads {VERSION}")
    for name, sha256 in found.files.items():
        if actual.get(name) != sha256:
            raise ModelError(f"{directory / name} is not what was trained (its SHA-256 differs): fetch it again")
    if base_digest is not None and found.base_digest != base_digest:
        raise ModelError(
            f"{directory.name} was trained on {found.base} ({found.base_digest[:12]}), not on this model "
            f"({base_digest[:12]}): use it with --model {found.base}"
        )
    return found


def write(directory: Path, adapter: Adapter, files: Mapping[str, bytes]) -> Adapter:
    """Fill `directory` with `files` and the manifest that holds their hashes, the manifest last.

    Raises:
        ModelError: it cannot be written.
    """
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    whole = Adapter(**{**asdict(adapter), "files": hashes})
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            _put(directory / name, data)
        _put(directory / MANIFEST, msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
    except OSError as error:
        raise ModelError(f"cannot write the adapter {directory} ({error.strerror}): choose another with -o") from error
    return whole


def _put(path: Path, data: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(data)
    new.rename(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

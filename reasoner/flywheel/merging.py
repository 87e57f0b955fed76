"""An adapter and its base as one plain Hugging Face directory, which any server loads: weights, tokenizer, template.

Sums are made in float32 and rounded to bfloat16 once. Tensors are read one by one: it takes the memory of the result.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from reasoner.cores.local.checkpoint import Checkpoint, read_config
from reasoner.errors import ModelError
from reasoner.models import adapter
from reasoner.models.adapter import PREFIX, Adapter
from reasoner.models.directory import digest

_CONFIGS = ("tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json", "merges.txt", "vocab.json")
_EMBEDDING, _OUTPUT = "model.embed_tokens.weight", "lm_head.weight"


def merge(base: Path, held: Path, into: Path) -> None:
    """Write the merged model to `into`, which must not be there yet.

    Raises:
        ModelError: the adapter is damaged or another model's, or `into` cannot be written.
    """
    known = adapter.read(held, digest(base))
    if into.exists():
        raise ModelError(f"{into} is there already: choose another directory")
    into.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
    try:
        tensors = merged(base, held, known)
        save_file(tensors, making / "model.safetensors", {"format": "pt"})
        _write_configs(base, known, tensors[_EMBEDDING].shape[0], making)
        making.chmod(0o755)
        making.rename(into)
    except OSError as error:
        raise ModelError(f"cannot write {into} ({error.strerror}): make room, or choose another place") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def merged(base: Path, held: Path, known: Adapter) -> dict[str, torch.Tensor]:
    """Every tensor of the base, with what was trained added to it."""
    source, low = Checkpoint(base), load_file(held / adapter.MATRICES)
    found: dict[str, torch.Tensor] = {}
    for name in source.names:
        weight = source[name]
        module = PREFIX + name.removesuffix(".weight")
        if f"{module}.lora_A.weight" in low:
            down, up = low.pop(f"{module}.lora_A.weight"), low.pop(f"{module}.lora_B.weight")
            weight = weight.float() + known.alpha / known.rank * (up.float() @ down.float())
        found[name] = weight.to(torch.bfloat16).clone()
    if low:
        raise ModelError(f"{held} holds {next(iter(low))}, which this model has no place for: use its own base")
    if known.controls:
        rows = load_file(held / adapter.ROWS)
        ids = list(known.controls.values())
        found[_EMBEDDING] = _with_rows(found[_EMBEDDING], ids, rows["embedding"])
        if "output" in rows:
            found[_OUTPUT] = _with_rows(found[_OUTPUT], ids, rows["output"])
    return found


def _with_rows(matrix: torch.Tensor, ids: list[int], rows: torch.Tensor) -> torch.Tensor:
    """The matrix with these rows, made longer where it has none of that number."""
    missing = max(ids) + 1 - matrix.shape[0]
    if missing > 0:
        matrix = torch.cat([matrix, matrix.new_zeros(missing, matrix.shape[1])])
    matrix[ids] = rows.to(matrix.dtype)
    return matrix


def _write_configs(base: Path, known: Adapter, vocabulary: int, into: Path) -> None:
    for name in _CONFIGS:
        if (base / name).is_file():
            shutil.copyfile(base / name, into / name)
    config = {**read_config(base), "vocab_size": vocabulary, "torch_dtype": "bfloat16"}
    _write(into / "config.json", config)
    _write(into / "tokenizer.json", renamed(json.loads((base / "tokenizer.json").read_bytes()), known.controls))
    if (base / "generation_config.json").is_file():
        shutil.copyfile(base / "generation_config.json", into / "generation_config.json")


def renamed(tokenizer: dict[str, Any], controls: Mapping[str, int]) -> dict[str, Any]:
    """A tokenizer.json that knows the control tokens: spare rows of their ids get their names."""
    ids = set(controls.values())
    kept = [one for one in tokenizer.get("added_tokens", []) if one["id"] not in ids]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    new = [{"id": number, "content": name, **flags} for name, number in controls.items()]
    return {**tokenizer, "added_tokens": sorted([*kept, *new], key=lambda one: int(one["id"]))}


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

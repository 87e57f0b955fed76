"""A GGUF file becomes a complete Hugging Face model directory: config, tokenizer, template, weights, note of origin."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reasoner.models import architecture, vocabulary, weights
from reasoner.models.directory import ORIGIN
from reasoner.models.gguf import read
from reasoner.models.progress import Progress
from reasoner.models.weights import Dtype

VERSION = 1
"""Raised whenever the same file would come out different."""


def convert(gguf: Path, into: Path, sha256: str, progress: Progress, dtype: Dtype = "bfloat16") -> None:
    """Fill the empty directory `into` from the file `gguf`, whose SHA-256 is `sha256`.

    Values are rounded to `dtype` once, from float32, to the nearest. Peak memory is that of the tokenizer's lists
    plus a few megabytes a thread.

    Raises:
        ModelError: the file is damaged, or of a kind that is not supported.
        OSError: a file cannot be written.
    """
    source = read(gguf)
    config = architecture.config(source, dtype)
    vocabulary.write(source, into)
    weights.write(source, architecture.copies(source), into / "model.safetensors", dtype, progress)
    _write(into / "config.json", config)
    _write(into / "generation_config.json", {
        "bos_token_id": config["bos_token_id"],
        "eos_token_id": vocabulary.ends(source),
        "pad_token_id": source.metadata.get("tokenizer.ggml.padding_token_id"),
    })  # fmt: skip
    origin = f"{sha256} {VERSION} {dtype}"
    _write(into / ORIGIN, {
        "sha256": sha256,
        "converter": VERSION,
        "dtype": dtype,
        "digest": hashlib.sha256(origin.encode()).hexdigest(),
    })  # fmt: skip


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")

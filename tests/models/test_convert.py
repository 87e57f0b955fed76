"""Tiny models with known tensors, converted and read back with the safetensors package."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from reasoner.errors import ModelError
from reasoner.models.convert import convert
from reasoner.models.directory import check
from reasoner.models.progress import Silent

Make = Callable[[str], Any]
Q4_0, Q8_0 = 2, 8


def converted(made: Any, tmp_path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors in float32, and config.json."""
    into = tmp_path / "out"
    into.mkdir()
    convert(made.write(tmp_path / "a.gguf"), into, "ab", Silent(), "float32")
    return load_file(into / "model.safetensors"), json.loads((into / "config.json").read_text())


def stored(made: Any, name: str) -> np.ndarray:
    _, shape, raw = made.tensors[name]
    return np.frombuffer(raw, "<f4").reshape(shape)


def test_every_tensor_has_its_original_name_shape_and_values(make: Make, tmp_path: Path) -> None:
    made = make("qwen2")
    tensors, config = converted(made, tmp_path)
    assert len(tensors) == len(made.tensors) == 14
    assert config["model_type"] == "qwen2"
    assert config["rms_norm_eps"] == 1e-6
    layer = "model.layers.0."
    for ours, theirs in {
        layer + "self_attn.q_proj.weight": "blk.0.attn_q.weight",
        layer + "self_attn.k_proj.bias": "blk.0.attn_k.bias",
        layer + "mlp.down_proj.weight": "blk.0.ffn_down.weight",
        layer + "post_attention_layernorm.weight": "blk.0.ffn_norm.weight",
        "model.norm.weight": "output_norm.weight",
    }.items():
        assert np.array_equal(tensors[ours], stored(made, theirs))


@pytest.mark.parametrize(("name", "heads"), [("q", 4), ("k", 2)])
def test_rows_that_llama_cpp_permuted_are_put_back(name: str, heads: int, make: Make, tmp_path: Path) -> None:
    made = make("llama")
    rows = 64 if name == "q" else 32
    original = np.random.default_rng(1).normal(size=(rows, 64)).astype(np.float32)
    # llama.cpp, convert_hf_to_gguf.py, LlamaModel.permute
    permuted = original.reshape(heads, 2, rows // heads // 2, 64).swapaxes(1, 2).reshape(original.shape)
    made.add(f"blk.0.attn_{name}.weight", permuted)
    tensors, _ = converted(made, tmp_path)
    assert np.array_equal(tensors[f"model.layers.0.self_attn.{name}_proj.weight"], original)


def test_two_copies_of_one_matrix_are_tied_to_the_finer_one(make: Make, tmp_path: Path) -> None:
    made = make("qwen2")
    matrix = np.random.default_rng(1).normal(size=made.tensors["token_embd.weight"][1])
    made.add("token_embd.weight", matrix, Q4_0)
    made.add("output.weight", matrix, Q8_0)
    tensors, config = converted(made, tmp_path)
    assert config["tie_word_embeddings"] is True
    assert "lm_head.weight" not in tensors
    assert np.abs(tensors["model.embed_tokens.weight"] - matrix).max() < 0.02


def test_two_different_matrices_stay_apart(make: Make, tmp_path: Path) -> None:
    made = make("qwen2")
    made.add("output.weight", np.random.default_rng(1).normal(size=made.tensors["token_embd.weight"][1]))
    tensors, config = converted(made, tmp_path)
    assert config["tie_word_embeddings"] is False
    assert np.array_equal(tensors["lm_head.weight"], stored(made, "output.weight"))


def test_the_default_is_bfloat16_and_the_digest_says_so(make: Make, tmp_path: Path) -> None:
    path, found = make("llama").write(tmp_path / "a.gguf"), {}
    for dtype in ("bfloat16", "float32"):
        into = tmp_path / dtype
        into.mkdir()
        convert(path, into, "ab", Silent(), *([] if dtype == "bfloat16" else [dtype]))  # type: ignore[list-item]
        check(into)
        found[dtype] = json.loads((into / "reasoner.json").read_text())
        assert found[dtype]["dtype"] == json.loads((into / "config.json").read_text())["torch_dtype"] == dtype
    assert found["bfloat16"]["digest"] != found["float32"]["digest"]
    sizes = [(tmp_path / dtype / "model.safetensors").stat().st_size for dtype in ("float32", "bfloat16")]
    assert sizes[0] > 1.9 * sizes[1]


def test_a_converted_model_runs_in_transformers(make: Make, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    converted(make("llama"), tmp_path)
    model, report = AutoModelForCausalLM.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(report.values())
    assert torch.isfinite(model(torch.tensor([[1, 2, 3]])).logits).all()


def _drop(made: Any) -> None:
    del made.tensors["blk.0.attn_v.weight"]


def _extra(made: Any) -> None:
    made.add("blk.0.attn_q_norm.weight", np.ones(16))


def _format(made: Any) -> None:
    made.tensors["blk.0.ffn_up.weight"] = (16, (96, 256), b"\0" * 96 * 66)


def _short(made: Any) -> None:
    made.tensors["output_norm.weight"] = (0, (2**20,), b"\0" * 64)


def _heads(made: Any) -> None:
    made.metadata["llama.attention.head_count"] = 3


def _kind(made: Any) -> None:
    made.metadata["general.architecture"] = "mamba"


def _scaled(made: Any) -> None:
    made.metadata["llama.rope.scaling.type"] = "yarn"


def _cut(made: Any) -> None:
    made.metadata["tokenizer.ggml.pre"] = "tekken"


def _types(made: Any) -> None:
    made.metadata["tokenizer.ggml.token_type"] = [1, 1]


def _flat(made: Any) -> None:
    made.add("token_embd.weight", np.ones(64))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_drop, r"no tensor blk\.0\.attn_v\.weight"),
        (_extra, r"attn_q_norm\.weight, which no llama model has"),
        (_format, r"ggml's format 16.*take a file in one of .*Q4_K"),
        (_short, r"ends before its tensor output_norm"),
        (_heads, r"64 rows for 3 heads"),
        (_kind, r"architecture 'mamba'"),
        (_scaled, r"scales its positions"),
        (_cut, r"tokenizer of the kind gpt2/tekken"),
        (_types, r"265 tokens and 2 token types|tokens and 2 token types"),
        (_flat, r"embedding of shape \(64,\)"),
    ],
)
def test_what_cannot_be_converted_is_named(spoil: Callable[[Any], None], says: str, make: Make, tmp_path: Path) -> None:
    made = make("llama")
    spoil(made)
    with pytest.raises(ModelError, match=says):
        converted(made, tmp_path)

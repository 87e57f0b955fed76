"""What a GGUF file's architecture is called on the other side: config.json, and each tensor under its original name."""

from typing import Any

import numpy as np

from reasoner.errors import ModelError
from reasoner.models.blocks import FORMATS
from reasoner.models.gguf import Gguf, Stored
from reasoner.models.weights import Copy, Dtype, rows

_LAYER = {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}
_BIASES = {
    "attn_q.bias": "self_attn.q_proj.bias",
    "attn_k.bias": "self_attn.k_proj.bias",
    "attn_v.bias": "self_attn.v_proj.bias",
}
_CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
_SAME = 0.2
"""Relative distance below which two matrices are one at two precisions; unrelated ones are 1.4 apart."""


def config(gguf: Gguf, dtype: Dtype) -> dict[str, Any]:
    """The contents of config.json.

    Raises:
        ModelError: an architecture or a feature of one that is not supported, or a value is missing.
    """
    kind = _kind(gguf)
    heads = gguf.get(f"{kind}.attention.head_count", int)
    return {
        "architectures": [_CLASSES[kind]],
        "model_type": kind,
        "vocab_size": _embedding(gguf).shape[0],
        "hidden_size": gguf.get(f"{kind}.embedding_length", int),
        "intermediate_size": gguf.get(f"{kind}.feed_forward_length", int),
        "num_hidden_layers": gguf.get(f"{kind}.block_count", int),
        "num_attention_heads": heads,
        "num_key_value_heads": gguf.metadata.get(f"{kind}.attention.head_count_kv", heads),
        "max_position_embeddings": gguf.get(f"{kind}.context_length", int),
        "rope_theta": gguf.metadata.get(f"{kind}.rope.freq_base", 10000.0),
        "rms_norm_eps": _shortest(gguf.get(f"{kind}.attention.layer_norm_rms_epsilon", float)),
        "hidden_act": "silu",
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "tie_word_embeddings": tied(gguf),
        "torch_dtype": dtype,
        "use_cache": True,
        "bos_token_id": gguf.metadata.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": gguf.metadata.get("tokenizer.ggml.eos_token_id"),
    }


def copies(gguf: Gguf) -> list[Copy]:
    """Every tensor to write, in the order of the layers.

    Raises:
        ModelError: a tensor is missing, or the file holds one that has no place here.
    """
    kind = _kind(gguf)
    names = _LAYER | (_BIASES if kind == "qwen2" else {})
    found = [Copy("model.embed_tokens.weight", _embedding(gguf))]
    for layer in range(gguf.get(f"{kind}.block_count", int)):
        for stored, original in names.items():
            tensor = _tensor(gguf, f"blk.{layer}.{stored}")
            found.append(Copy(f"model.layers.{layer}.{original}", tensor, _permuted_heads(gguf, stored, tensor)))
    found.append(Copy("model.norm.weight", _tensor(gguf, "output_norm.weight")))
    if not tied(gguf):
        found.append(Copy("lm_head.weight", _tensor(gguf, "output.weight")))
    unused = set(gguf.tensors) - {copy.tensor.name for copy in found} - {"token_embd.weight", "output.weight"}
    if unused:
        raise ModelError(f"{gguf.path.name} holds {min(unused)}, which no {kind} model has: take another file")
    return found


def tied(gguf: Gguf) -> bool:
    """Whether embedding and output are one matrix: the file has one only, or both and they differ by rounding alone."""
    output = gguf.tensors.get("output.weight")
    embedding = _tensor(gguf, "token_embd.weight")
    if len(embedding.shape) != 2:
        raise ModelError(f"{gguf.path} has an embedding of shape {embedding.shape}, not a matrix: fetch another file")
    if output is None:
        return True
    if output.shape != embedding.shape:
        return False
    picked = np.linspace(0, output.shape[0] - 1, 256).astype(int).tolist()
    a, b = rows(gguf, embedding, picked), rows(gguf, output, picked)
    return bool(np.linalg.norm(a - b) < _SAME * np.linalg.norm(b))


def _embedding(gguf: Gguf) -> Stored:
    """The embedding; where it is also the output, whichever of two copies is stored with more bits."""
    embedding = _tensor(gguf, "token_embd.weight")
    output = gguf.tensors.get("output.weight")
    return max(embedding, output, key=_bits) if output is not None and tied(gguf) else embedding


def _bits(tensor: Stored) -> float:
    return FORMATS[tensor.type].size / FORMATS[tensor.type].values


def _kind(gguf: Gguf) -> str:
    kind = gguf.get("general.architecture", str)
    if kind not in _CLASSES:
        raise ModelError(
            f"{gguf.path.name} is of architecture {kind!r}, which cannot be converted: take one of "
            f"{', '.join(_CLASSES)}, or the model's Hugging Face directory"
        )
    scaled = gguf.metadata.get(f"{kind}.rope.scaling.type", "none") != "none" or "rope_freqs.weight" in gguf.tensors
    if scaled:
        raise ModelError(f"{gguf.path.name} scales its positions, which cannot be converted: take its HF directory")
    return kind


def _tensor(gguf: Gguf, name: str) -> Stored:
    if name not in gguf.tensors:
        raise ModelError(f"{gguf.path.name} has no tensor {name}, so it is not whole: fetch another GGUF file")
    return gguf.tensors[name]


def _permuted_heads(gguf: Gguf, stored: str, tensor: Stored) -> int:
    if _kind(gguf) != "llama" or stored not in ("attn_q.weight", "attn_k.weight"):
        return 0
    all_heads = gguf.get("llama.attention.head_count", int)
    heads = gguf.metadata.get("llama.attention.head_count_kv", all_heads) if stored == "attn_k.weight" else all_heads
    if not isinstance(heads, int) or heads < 1 or tensor.shape[0] % (2 * heads):
        raise ModelError(f"{gguf.path} has {tensor.shape[0]} rows for {heads} heads in {tensor.name}: fetch it again")
    return heads


def _shortest(value: float) -> float:
    """A float32 that went through a file, as a person wrote it: 9.999999974752427e-07 is 1e-06."""
    return float(str(np.float32(value)))

"""Our own forward pass for models shaped like Llama, Qwen2 and Qwen3.

Keys and values of every layer live in one preallocated pool, indexed by slot; who owns a slot is none of its business.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from reasoner.cores.local.attention import attend
from reasoner.cores.local.checkpoint import Checkpoint
from reasoner.cores.local.linear import FEW, Linear, make_linear
from reasoner.cores.local.plan import Batch

_ARCHITECTURES = {"LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM", "MistralForCausalLM"}


@dataclass(frozen=True)
class Shape:
    """What `config.json` says of a model. Sizes in elements, `context` in positions."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    inner: int
    vocabulary: int
    context: int
    epsilon: float
    theta: float
    scaling: dict[str, Any]
    head_norms: bool
    tied: bool


def shape_of(config: dict[str, Any]) -> Shape | None:
    """The shape, None where the model needs something that this forward pass does not do."""
    rope = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    kind = rope.get("rope_type", rope.get("type", "default"))
    plain = (
        (config.get("architectures") or [""])[0] in _ARCHITECTURES
        and config.get("hidden_act", "silu") == "silu"
        and kind in ("default", "llama3", "linear")
        and rope.get("partial_rotary_factor", 1.0) == 1.0
        and not _slides(config)
        and not config.get("mlp_bias")
        and not config.get("quantization_config")
    )
    if not plain:
        return None
    heads = config["num_attention_heads"]
    return Shape(
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_size=config.get("head_dim") or config["hidden_size"] // heads,
        inner=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        context=config["max_position_embeddings"],
        epsilon=config["rms_norm_eps"],
        theta=rope.get("rope_theta") or config.get("rope_theta") or 10000.0,
        scaling={**rope, "rope_type": kind},
        head_norms=config["architectures"][0] == "Qwen3ForCausalLM",
        tied=bool(config.get("tie_word_embeddings")),
    )


def _slides(config: dict[str, Any]) -> bool:
    """Whether some layer sees only a window. Mistral's window is on whenever it is named, Qwen's by a switch."""
    if "sliding_attention" in (config.get("layer_types") or ()):
        return True
    return bool(config.get("sliding_window")) and bool(config.get("use_sliding_window", "layer_types" not in config))


class _Layer:
    def __init__(self, index: int, shape: Shape, tensors: "_Tensors") -> None:
        at = f"model.layers.{index}."
        heads = [f"{at}self_attn.{p}_proj" for p in "qkv"]
        turned = shape.heads + shape.kv_heads
        self.attention_norm = tensors(f"{at}input_layernorm.weight")
        self.mlp_norm = tensors(f"{at}post_attention_layernorm.weight")
        self.qkv = tensors.linear(*heads, order=_paired(turned, shape.head_size, shape.kv_heads))
        self.out = tensors.linear(f"{at}self_attn.o_proj")
        self.gate_up = tensors.linear(f"{at}mlp.gate_proj", f"{at}mlp.up_proj")
        self.down = tensors.linear(f"{at}mlp.down_proj")
        norms = [f"{at}self_attn.{p}_norm.weight" for p in "qk"] if shape.head_norms else []
        self.head_norms = [tensors(name)[_paired(1, shape.head_size, 0)] for name in norms]


class _Tensors:
    """Weights by name, in the form and on the device that they are computed in."""

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, quartered: bool) -> None:
        self._checkpoint = checkpoint
        self._dtype = dtype
        self._device = device
        self._quartered = quartered

    def __call__(self, name: str) -> torch.Tensor:
        """A vector, in float32."""
        return self._checkpoint[name].to(self._device, torch.float32)

    def linear(self, *names: str, order: torch.Tensor | None = None) -> Linear:
        """Matrices that read the same input, stacked into one, its rows in `order`."""
        weight = self._stacked([f"{n}.weight" for n in names], order)
        biased = f"{names[0]}.bias" in self._checkpoint
        bias = self._stacked([f"{n}.bias" for n in names], order) if biased else None
        return make_linear(weight, bias, quartered=self._quartered)

    def _stacked(self, names: list[str], order: torch.Tensor | None) -> torch.Tensor:
        found = [self._checkpoint[name] for name in names]
        stacked = torch.cat(found) if len(found) > 1 else found[0]
        stacked = stacked if order is None else stacked[order]
        return stacked.to(self._device, self._dtype)


class Decoder:
    """A network of `Shape`, its pool, and nothing that remembers who asked.

    `dtype` is that of the pool and of the matrices, unless they are `quartered` (4 bits a weight); between layers
    everything is float32.
    """

    keeps_hidden = True

    def __init__(
        self, shape: Shape, checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, *, quartered: bool
    ) -> None:
        self.shape = shape
        self.context = shape.context
        self.device = device
        self.shares = device.type == "cpu"
        self.nearly_free = 64 if device.type != "cpu" else FEW if quartered else 8
        self._dtype = dtype
        tensors = _Tensors(checkpoint, dtype, device, quartered)
        tied = shape.tied or "lm_head.weight" not in checkpoint
        self._head = tensors.linear("model.embed_tokens" if tied else "lm_head")
        self._layers: list[_Layer] = []
        for index in range(shape.layers):
            checkpoint.release_pages()
            self._layers.append(_Layer(index, shape, tensors))
        self._norm = tensors("model.norm.weight")
        self._embedding = checkpoint["model.embed_tokens.weight"]
        self.vocabulary = len(self._embedding)
        if device.type != "cpu":
            self._embedding = self._embedding.to(device, dtype)
        self._frequencies = _frequencies(shape).to(device)
        self._pool = torch.empty(0)
        self.bytes_per_token = shape.layers * 2 * shape.kv_heads * shape.head_size * dtype.itemsize
        checkpoint.release_pages()

    def allocate(self, slots: int) -> None:
        shape = self.shape
        size = (shape.layers, slots, 2, shape.kv_heads, shape.head_size)
        self._pool = torch.empty(size, dtype=self._dtype, device=self.device)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Compute the batch's tokens and fill their slots; the normed hidden states (wanted, hidden) asked for."""
        x = F.embedding(batch.ids, self._embedding).float()
        rotation = self._rotation(batch.positions)
        last = len(self._layers) - 1
        for index, layer in enumerate(self._layers):
            queries = self._attention_inputs(layer, index, x, rotation, batch)
            mixed = attend(queries, self._pool[index], batch).view(len(x), -1)
            if index == last and not len(batch.wanted):
                return x[:0]
            if index == last:
                mixed, x = mixed[batch.wanted], x[batch.wanted]
            x.add_(layer.out(mixed))
            gate, up = layer.gate_up(self._normed(x, layer.mlp_norm)).chunk(2, dim=-1)
            x.add_(layer.down(F.silu(gate).mul_(up)))
        return self._normed(x, self._norm)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return self._head(hidden)

    def _attention_inputs(
        self, layer: _Layer, index: int, x: torch.Tensor, rotation: torch.Tensor, batch: Batch
    ) -> torch.Tensor:
        """The queries of this layer; its keys and values go into their slots."""
        shape = self.shape
        qkv = layer.qkv(self._normed(x, layer.attention_norm)).view(len(x), -1, shape.head_size)
        turned, values = qkv.split_with_sizes((shape.heads + shape.kv_heads, shape.kv_heads), dim=1)
        if layer.head_norms:
            parts = turned.split_with_sizes((shape.heads, shape.kv_heads), dim=1)
            turned = torch.cat([self._normed(p, w) for p, w in zip(parts, layer.head_norms, strict=True)], dim=1)
        turned = _rotate(turned, rotation).to(self._dtype)
        fresh = torch.stack((turned[:, shape.heads :], values.to(self._dtype)), dim=1)
        self._pool[index].index_copy_(0, batch.slots.long(), fresh)
        return turned[:, : shape.heads]

    def _normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x.float(), (x.shape[-1],), weight, self.shape.epsilon)

    def _rotation(self, positions: torch.Tensor) -> torch.Tensor:
        """One complex number for each token and pair: (tokens, 1, size / 2)."""
        angles = positions.float()[:, None] * self._frequencies
        return torch.polar(torch.ones_like(angles), angles)[:, None, :]


def _rotate(x: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Rotary embedding (RoFormer, section 3.2.2) of (tokens, heads, size), the two parts of a pair side by side."""
    pairs = x.float().reshape(*x.shape[:-1], -1, 2)
    return torch.view_as_real(torch.view_as_complex(pairs) * rotation).flatten(-2)


def _paired(turned: int, size: int, plain: int) -> torch.Tensor:
    """The order of rows that puts both parts of each pair side by side in the first `turned` heads.

    Llama's checkpoints keep them half a head apart. Scores are sums over a head, so their order within it is free.
    """
    within = torch.arange(size).view(2, -1).t().reshape(-1)
    heads = [within + size * i for i in range(turned)]
    return torch.cat([*heads, torch.arange(size * turned, size * (turned + plain))])


def _frequencies(shape: Shape) -> torch.Tensor:
    """Angles a position, (head_size / 2,)."""
    steps = torch.arange(0, shape.head_size, 2, dtype=torch.float32) / shape.head_size
    plain = torch.tensor(shape.theta).pow(-steps)
    kind = shape.scaling["rope_type"]
    if kind == "linear":
        return plain / float(shape.scaling["factor"])
    if kind == "llama3":
        return _llama3(plain, shape.scaling)
    return plain


def _llama3(plain: torch.Tensor, scaling: dict[str, Any]) -> torch.Tensor:
    """Llama 3.1's stretch: long waves by the whole factor, short ones not at all, smoothly between."""
    factor, low, high = (scaling[k] for k in ("factor", "low_freq_factor", "high_freq_factor"))
    turns = scaling["original_max_position_embeddings"] * plain / (2 * math.pi)
    kept = ((turns - low) / (high - low)).clamp(0, 1)
    return torch.lerp(plain / factor, plain, kept)

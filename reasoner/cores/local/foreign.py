"""The slower path: any architecture that transformers computes with keys and values, by its own forward pass.

Keys and values live in our pool, so that prefixes are shared, forked and dropped as on the fast path; each step copies
what it reads into a transformers cache and what is new back out.
"""

import inspect
from pathlib import Path
from typing import Any

import torch
import transformers

from reasoner.cores.local.adapted import Trained
from reasoner.cores.local.plan import Batch, Chunk, Own
from reasoner.errors import CoreError, ModelError


class Foreign:
    """A causal language model of transformers.

    Raises:
        ModelError: transformers cannot load the directory.
        CoreError: the model remembers in another way than keys and values for every token.
    """

    keeps_hidden = False
    shares = False
    nearly_free = 8

    def __init__(
        self, directory: Path, dtype: torch.dtype, device: torch.device, trained: Trained | None = None
    ) -> None:
        try:
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                directory, dtype=dtype, local_files_only=True
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"transformers cannot load {directory} ({error}): choose another model") from error
        if trained:
            _adapt(model, trained)
        self._model = model.to(device).eval()
        self._name = type(model).__name__
        takes = inspect.signature(model.forward).parameters
        self._keeps = "logits_to_keep" in takes
        self._past = "cache" if "cache" in takes else "past_key_values"
        config = model.config.get_text_config()
        self.context: int = getattr(config, "max_position_embeddings", None) or _CONTEXT
        self.vocabulary = len(model.get_input_embeddings().weight)
        self.device = device
        self._dtype = dtype
        self._pool: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._like = self._probe()
        self.bytes_per_token = sum(t.numel() * t.element_size() for pair in self._like for t in pair)

    def allocate(self, slots: int) -> None:
        self._pool = [
            (keys.new_empty(slots, *keys.shape), values.new_empty(slots, *values.shape)) for keys, values in self._like
        ]

    def forward(self, batch: Batch) -> torch.Tensor:
        """Logits (wanted, vocabulary) rather than hidden states: what lies between is the architecture's own."""
        decoded = torch.empty(batch.decoding, self.vocabulary, dtype=self._dtype, device=self.device)
        for own in batch.own:
            decoded[own.rows] = self._decode(batch, own)
        return torch.cat([decoded, *(self._prefill(batch, chunk) for chunk in batch.chunks)])

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden

    def _decode(self, batch: Batch, own: Own) -> torch.Tensor:
        """One token of every row. The past is padded on the left, where distances between tokens stay true."""
        rows, longest = own.slots.shape
        positions = batch.positions[own.rows].long()
        columns = torch.arange(longest - 1, device=self.device) - (longest - 1 - positions)[:, None]
        slots = own.slots.gather(1, columns.clamp(min=0))
        seen = torch.cat((columns >= 0, columns.new_ones(rows, 1, dtype=torch.bool)), dim=1)
        return self._run(batch, own.rows, slots, seen, positions[:, None], 1)[:, -1]

    def _prefill(self, batch: Batch, chunk: Chunk) -> torch.Tensor:
        tokens = slice(chunk.start, chunk.stop)
        past = torch.arange(self._slots, device=self.device)[chunk.slots][None, : chunk.past]
        seen = torch.ones(1, chunk.past + chunk.stop - chunk.start, dtype=torch.bool, device=self.device)
        positions = batch.positions[tokens].long()[None]
        out = self._run(batch, tokens, past, seen, positions, max(1, chunk.wanted))[0]
        return out[len(out) - chunk.wanted :]

    def _run(
        self,
        batch: Batch,
        tokens: slice | torch.Tensor,
        past: torch.Tensor,
        seen: torch.Tensor,
        positions: torch.Tensor,
        keep: int,
    ) -> torch.Tensor:
        """Tokens of the batch as (rows, new) after `past` slots (rows, old); their last `keep` logits."""
        rows, new = positions.shape
        cache: Any = self._cache(past)
        out = self._model(
            input_ids=batch.ids[tokens].long().view(rows, new),
            attention_mask=seen.long(),
            position_ids=positions,
            use_cache=True,
            **{self._past: cache},
            **({"logits_to_keep": keep} if self._keeps else {}),
        )
        slots = batch.slots[tokens].long()
        for layer, pair in zip(cache.layers, self._pool, strict=True):
            for fresh, kept in zip((layer.keys, layer.values), pair, strict=True):
                kept[slots] = fresh[:, :, -new:].transpose(1, 2).flatten(0, 1).to(kept.dtype)
        logits: torch.Tensor = out.logits[:, -keep:]
        return logits

    def _cache(self, past: torch.Tensor) -> transformers.DynamicCache:
        cache = transformers.DynamicCache()
        if past.shape[1]:
            for index, pair in enumerate(self._pool):
                keys, values = (t[past.long()].transpose(1, 2) for t in pair)
                cache.update(keys, values, index)
        return cache

    @property
    def _slots(self) -> int:
        return len(self._pool[0][0])

    def _probe(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values of one token, layer by layer: (kv heads, size) each."""
        with torch.inference_mode():
            out = self._model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=self.device), use_cache=True)
        cache = out.get("cache") or out.get("past_key_values")
        layers = [
            (getattr(layer, "keys", None), getattr(layer, "values", None)) for layer in getattr(cache, "layers", ())
        ]
        found = [(k[0, :, 0], v[0, :, 0]) for k, v in layers if k is not None and v is not None and k.dim() == 4]
        if not found or len(found) != len(layers):
            raise CoreError(
                f"{self._name} does not remember by keys and values alone, so its prefixes cannot be kept here: "
                "serve it with a server and use a remote core"
            )
        return found


def _adapt(model: Any, trained: Trained) -> None:
    """Add what was trained to a model's own parameters, and make room for the rows that it has none of."""
    trained.place_in({name for name, _ in model.named_modules()})
    embedding, output = model.get_input_embeddings(), model.get_output_embeddings()
    tied = output.weight is embedding.weight
    for name, parameter in model.named_parameters():
        parameter.data = trained.add(name, parameter.data).to(parameter.dtype)
    embedding.weight = torch.nn.Parameter(trained.with_rows("embedding", embedding.weight.data))
    own = trained.with_rows("output", output.weight.data)
    output.weight = embedding.weight if tied else torch.nn.Parameter(own)


_CONTEXT = 2048
"""Positions of a model whose configuration names no limit."""

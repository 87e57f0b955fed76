"""What is trained: a frozen model, low-rank adapters beside its matrices (LoRA; Hu et al., 2106.09685, section 4.1),
and the control tokens' own rows of embedding and output matrix, in float32.

peft makes the adapters. The rows are put in here, around the frozen matrices: peft's way (`trainable_token_indices`)
copies the whole matrix at each step and computes the gradient of all of it, 136 million numbers where 6,000 are wanted.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from reasoner.cores.local.checkpoint import read_config
from reasoner.cores.local.decoder import shape_of
from reasoner.cores.local.precision import chosen
from reasoner.errors import ConfigError, ModelError
from reasoner.flywheel.tries import Laid
from reasoner.models.directory import check

_NOISE = 0.05
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Low:
    """The size of the adapters: their rank, and `alpha / rank` by which their product is scaled."""

    rank: int = 8
    alpha: int = 16
    targets: tuple[str, ...] = TARGETS


@dataclass
class Student:
    """A model in training. `controls` are names of control tokens and the ids whose rows are theirs."""

    model: Any
    network: Any
    """The model below peft's wrapping, without its output matrix."""
    controls: Mapping[str, int]
    rows: torch.nn.Parameter
    """(controls, hidden), in the order of `controls`."""
    output_rows: torch.nn.Parameter
    """The same for the output matrix; `rows` itself where that is tied."""
    context: int
    low: Low = Low()
    _slot: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        matrix = self.network.get_input_embeddings().weight
        self._slot = torch.full((matrix.shape[0],), -1, dtype=torch.long, device=matrix.device)
        self._slot[list(self.controls.values())] = torch.arange(len(self.controls), device=matrix.device)

    @property
    def device(self) -> torch.device:
        return self._slot.device

    @property
    def tied(self) -> bool:
        return self.output_rows is self.rows

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """All that is trained, by name."""
        found = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        rows = {"rows": self.rows} if len(self.controls) else {}
        return {**found, **rows, **({} if self.tied or not rows else {"output_rows": self.output_rows})}

    def hidden(self, laid: Laid) -> torch.Tensor:
        """(tries, positions) -> the normed last hidden states, (tries, positions, hidden)."""
        ids, positions = laid.ids.to(self.device), laid.positions.to(self.device)
        with self._mixed():
            embedded = self.network.get_input_embeddings()(ids)
            if len(self.controls):
                slots = self._slot[ids]
                own = self.rows[slots.clamp(min=0)].to(embedded.dtype)
                embedded = torch.where((slots >= 0)[..., None], own, embedded)
            barred = torch.finfo(embedded.dtype).min * (~laid.seen).to(self.device, embedded.dtype)
            states: torch.Tensor = self.network(
                inputs_embeds=embedded, attention_mask=barred, position_ids=positions, use_cache=False
            ).last_hidden_state
            return states

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, hidden) -> (n, vocabulary), in float32."""
        matrix = self.model.get_output_embeddings().weight
        found = F.linear(hidden.to(matrix.dtype), matrix).float()
        if not len(self.controls):
            return found
        own = F.linear(hidden.float(), self.output_rows)
        return found.index_copy(-1, torch.tensor(list(self.controls.values()), device=self.device), own)

    def _mixed(self) -> torch.autocast:
        half = self.network.dtype == torch.bfloat16
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half)


def load(
    directory: Path,
    controls: Mapping[str, int],
    like: Mapping[str, Sequence[int]],
    low: Low = Low(),
    *,
    dtype: str = "auto",
    device: str = "auto",
    seed: int = 0,
) -> Student:
    """A fresh student of the model in `directory`. The row of a control token begins as the mean of the rows of the
    tokens in `like`, which say the same in words, plus a little noise: spare rows are all one vector.

    Raises:
        ModelError: the directory cannot be read, or its model is of a shape that is not trained here.
        ConfigError: peft is missing, or there is no such device.
    """
    import transformers

    peft = imported_peft()
    from reasoner.flywheel import lowrank

    config = read_config(check(directory))
    shape = shape_of(config)
    if shape is None:
        raise ModelError(
            f"{directory.name} is a {config['model_type']} model, which is not trained here: "
            "take one that is shaped like Llama, Qwen2, Qwen3 or Mistral"
        )
    torch.manual_seed(seed)
    where = _device(device)
    kind = getattr(torch, chosen(dtype, where))
    base = _quietly(transformers.AutoModelForCausalLM.from_pretrained, directory, dtype=kind, local_files_only=True)
    base = base.to(where)
    if max(controls.values(), default=0) >= shape.vocabulary:
        base.resize_token_embeddings(max(controls.values()) + 1, mean_resizing=False)
    matrix, output = base.get_input_embeddings().weight, base.get_output_embeddings().weight
    words = [like[name] for name in controls]
    rows = torch.nn.Parameter(_means(matrix, words))
    output_rows = rows if output is matrix else torch.nn.Parameter(_means(output, words))
    settings = peft.LoraConfig(r=low.rank, lora_alpha=low.alpha, target_modules=list(low.targets))
    settings._register_custom_module({torch.nn.Linear: lowrank.Linear})
    model = _quietly(peft.get_peft_model, base, settings)
    model.eval()
    return Student(model, base.model, dict(controls), rows, output_rows, shape.context, low)


def _means(matrix: torch.Tensor, words: Sequence[Sequence[int]]) -> torch.Tensor:
    """(words, hidden): the mean of each word's rows, and noise of a twentieth of the matrix's spread."""
    if not words:
        return torch.empty(0, matrix.shape[1], device=matrix.device)
    means = torch.stack([matrix[list(ids)].detach().float().mean(0) for ids in words])
    usual = matrix[: 2**14].detach().float().std()
    return means + _NOISE * usual * torch.randn(means.shape).to(matrix.device)


def _quietly(make: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Without the libraries' own progress bars, and what they warn each other of."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return make(*arguments, **named)


def imported_peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise ConfigError(f"training needs peft ({error}): pip install 'reasoner[train]'") from error
    return peft


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda was asked for and torch sees no GPU: use cpu, or install torch built for CUDA")
    return torch.device(name)

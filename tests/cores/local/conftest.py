"""Tiny models with random weights, in complete model directories, and plain recomputation to hold ours against."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
import transformers
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
torch.set_num_threads(1)  # the models are too small to be worth a second thread

WORDS = 320
"""Rows of the tiny vocabularies: 256 bytes, two controls, and rows that no token uses."""
KNOWN = 258

TINY = {
    "vocab_size": WORDS,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "bos_token_id": 256,
    "eos_token_id": 257,
}


@dataclass(frozen=True)
class Tiny:
    """A directory and the same weights as transformers computes them."""

    directory: Path
    model: Any

    def greedy(self, prefix: Sequence[int], count: int) -> list[int]:
        with torch.inference_mode():
            out = self.model.generate(
                torch.tensor([list(prefix)]),
                attention_mask=torch.ones(1, len(prefix), dtype=torch.long),
                max_new_tokens=count,
                do_sample=False,
                eos_token_id=None,
                pad_token_id=0,
                suppress_tokens=list(range(KNOWN, WORDS)),
            )
        ids: list[int] = out[0, len(prefix) :].tolist()
        return ids

    def logprobs(self, prefix: Sequence[int], continuation: Sequence[int]) -> list[float]:
        table = self.table(prefix, continuation)
        return [float(table[i, token]) for i, token in enumerate(continuation)]

    def table(self, prefix: Sequence[int], continuation: Sequence[int]) -> torch.Tensor:
        """Log-probabilities of every token at every place of `continuation`, by one plain forward pass."""
        with torch.inference_mode():
            logits = self.model(torch.tensor([[*prefix, *continuation]])).logits[0, len(prefix) - 1 : -1, :KNOWN]
            return logits.float().log_softmax(-1)


def save(directory: Path, model: Any) -> Tiny:
    model = model.float().eval()
    model.save_pretrained(directory)
    tokenizer(directory)
    return Tiny(directory, model)


def tokenizer(directory: Path) -> None:
    """One token a byte, and two controls above them."""
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    order = sorted(alphabet, key=lambda c: _byte(c))
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={c: i for i, c in enumerate(order)}, merges=[]))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens(["<|start|>", "<|end|>"])
    made.save(str(directory / "tokenizer.json"))


def _byte(char: str) -> int:
    """GPT-2's table backwards: printable Latin-1 stands for itself, the rest follow from U+0100 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    if ord(char) in plain:
        return ord(char)
    return [b for b in range(256) if b not in plain][ord(char) - 256]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Qwen2's shape: biases on queries, keys and values, tied embeddings."""
    torch.manual_seed(1)
    config = transformers.Qwen2Config(**TINY, tie_word_embeddings=True)
    model = transformers.Qwen2ForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0, 0.3)
    return save(tmp_path_factory.mktemp("qwen2"), model)


def _made(tmp_path_factory: pytest.TempPathFactory, name: str, model: Any) -> Tiny:
    return save(tmp_path_factory.mktemp(name), model)


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Norms on every head, an output matrix of its own."""
    torch.manual_seed(2)
    model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**TINY, head_dim=16, tie_word_embeddings=False))
    return _made(tmp_path_factory, "qwen3", model)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Llama 3.1's stretched rotation."""
    torch.manual_seed(3)
    rope = {"factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    scaling = {"rope_type": "llama3", "rope_theta": 10000.0, **rope}
    config = transformers.LlamaConfig(**TINY, rope_parameters=scaling, tie_word_embeddings=False)
    return _made(tmp_path_factory, "llama", transformers.LlamaForCausalLM(config))


@pytest.fixture(scope="session")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """An architecture that our own forward pass does not know: windows, caps on scores and logits."""
    torch.manual_seed(4)
    config = transformers.Gemma2Config(**TINY, head_dim=16, sliding_window=24, attn_implementation="eager")
    return _made(tmp_path_factory, "gemma", transformers.Gemma2ForCausalLM(config))


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Learnt positions and no rotation at all."""
    torch.manual_seed(5)
    config = transformers.GPT2Config(vocab_size=WORDS, n_embd=48, n_layer=2, n_head=4, n_positions=256)
    return _made(tmp_path_factory, "gpt2", transformers.GPT2LMHeadModel(config))

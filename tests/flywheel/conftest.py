"""A tiny model with random weights that can be trained in a second, in a complete model directory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
import transformers

from reasoner.dialect.control import NAMES, WORDS, rows, token
from reasoner.dialect.tokenizer import HubTokenizer

torch.set_num_threads(1)

SHAPE = {
    "vocab_size": 272,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "bos_token_id": 256,
    "eos_token_id": 257,
}


@dataclass(frozen=True)
class Tiny:
    directory: Path
    controls: Mapping[str, int]
    like: Mapping[str, list[int]]

    @property
    def tokenizer(self) -> HubTokenizer:
        return HubTokenizer(self.directory)


def made(directory: Path, **changes: Any) -> Tiny:
    torch.manual_seed(1)
    config = transformers.Qwen2Config(**{**SHAPE, "tie_word_embeddings": True, **changes})
    transformers.Qwen2ForCausalLM(config).float().eval().save_pretrained(directory)
    _tokenizer(directory)
    tokenizer = HubTokenizer(directory)
    like = {token(name): [i for word in WORDS[name] for i in tokenizer.encode(word)] for name in NAMES}
    return Tiny(directory, rows(tokenizer).named(), like)


def _tokenizer(directory: Path) -> None:
    """One token a byte, and the two ends of ChatML above them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    vocabulary = {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(rest)}
    whole = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    whole.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    whole.decoder = tokenizers.decoders.ByteLevel()
    whole.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    whole.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}'
    )


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return made(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def untied(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return made(tmp_path_factory.mktemp("untied"), tie_word_embeddings=False)

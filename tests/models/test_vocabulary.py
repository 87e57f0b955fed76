"""The tokenizers that come out: tiny ones here, the real ones against ids that llama.cpp gave (0.3.36, vocab only)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from reasoner.models.gguf import read
from reasoner.models.vocabulary import ends, write

Make = Callable[[str], Any]
GOLDEN = json.loads((Path(__file__).parent / "golden" / "ids.json").read_text())


def written(made: Any, tmp_path: Path) -> tuple[Tokenizer, dict[str, Any]]:
    write(read(made.write(tmp_path / "a.gguf")), tmp_path)
    text = (tmp_path / "tokenizer.json").read_text(encoding="utf-8")
    return Tokenizer.from_str(text), json.loads(text)


def test_spare_rows_are_no_tokens(make: Make, tmp_path: Path) -> None:
    tokenizer, spec = written(make("qwen2"), tmp_path)
    assert tokenizer.token_to_id("[PAD]") is None
    assert [token["content"] for token in spec["added_tokens"]][-1] == "<|fim_prefix|>"


def test_added_tokens_keep_their_ids_and_flags(make: Make, tmp_path: Path) -> None:
    made = make("qwen2")
    tokenizer, spec = written(made, tmp_path)
    for token in spec["added_tokens"]:
        assert made.metadata["tokenizer.ggml.tokens"][token["id"]] == token["content"]
        assert tokenizer.token_to_id(token["content"]) == token["id"]
        assert token["special"] is (token["content"] != "<|fim_prefix|>")


def test_a_turn_ends_with_the_files_own_token_first(make: Make, tmp_path: Path) -> None:
    made = make("qwen2")
    tokens = made.metadata["tokenizer.ggml.tokens"]
    found = ends(read(made.write(tmp_path / "a.gguf")))
    assert [tokens[i] for i in found] == ["<|im_end|>", "<|endoftext|>"]


def test_each_family_cuts_text_by_its_own_rule(make: Make, tmp_path: Path) -> None:
    def pieces(kind: str, text: str) -> list[str]:
        tokenizer, _ = written(make(kind), tmp_path)
        return [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]

    assert pieces("llama", "a 12") == ["a", "Ġ", "1", "2"]
    assert pieces("qwen2", "(a 12") == ["(a", "Ġ", "1", "2"]
    assert pieces("llama", "(a") == ["(", "a"]


def test_the_template_and_the_names_of_the_tokens_are_kept(make: Make, tmp_path: Path) -> None:
    made = make("llama")
    written(made, tmp_path)
    assert (tmp_path / "chat_template.jinja").read_text() == made.metadata["tokenizer.chat_template"]
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert (config["bos_token"], config["eos_token"]) == ("<|endoftext|>", "<|im_end|>")
    assert config["model_max_length"] == 128


def agrees(directory: Path) -> None:
    spec = json.loads((directory / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_str(json.dumps(spec | {"added_tokens": []}))
    for text, ids in zip(GOLDEN["texts"], GOLDEN[directory.name], strict=True):
        assert tokenizer.encode(text, add_special_tokens=False).ids == ids, text
        assert tokenizer.decode(ids, skip_special_tokens=False) == text


@pytest.mark.model
def test_smollm2_cuts_text_as_llama_cpp_does(smollm2: Path) -> None:
    agrees(smollm2)


@pytest.mark.model
def test_qwen_cuts_text_as_llama_cpp_does(qwen: Path) -> None:
    agrees(qwen)


@pytest.mark.model
def test_qwen_composes_characters_as_the_published_tokenizer_does(qwen: Path) -> None:
    tokenizer = Tokenizer.from_file(str(qwen / "tokenizer.json"))
    assert tokenizer.encode("cafe\u0301").ids == tokenizer.encode("caf\u00e9").ids


@pytest.mark.model
def test_qwen_has_its_22_added_tokens(qwen: Path) -> None:
    added = json.loads((qwen / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    assert [token["id"] for token in added] == list(range(151643, 151665))
    assert [token["content"] for token in added if not token["special"]] == [
        "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
        "<|repo_name|>", "<|file_sep|>",
    ]  # fmt: skip
    assert json.loads((qwen / "generation_config.json").read_text())["eos_token_id"] == [151645, 151643]
    assert json.loads((qwen / "config.json").read_text())["vocab_size"] == 151936


@pytest.mark.model
def test_transformers_reads_the_same_tokenizer(smollm2: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    for text, ids in zip(GOLDEN["texts"], GOLDEN[smollm2.name], strict=True):
        if "<" not in text:
            assert tokenizer.encode(text, add_special_tokens=False) == ids
    assert tokenizer.eos_token == "<|im_end|>"

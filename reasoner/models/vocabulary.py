"""The tokenizer of a GGUF file as Hugging Face's files: tokenizer.json, tokenizer_config.json, chat_template.jinja.

A GGUF file gives the pieces and merges, but only the *name* of the rule that cuts text before merging
(`tokenizer.ggml.pre`). What each name means is written down here, from the tokenizer.json that the publisher ships.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasoner.errors import ModelError
from reasoner.models.gguf import Gguf

Json = dict[str, Any]
_ORDINARY, _CONTROL, _DEFINED = 1, 3, 4
_ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>")


@dataclass(frozen=True)
class Family:
    """A pre-tokenizer and what else its publisher's tokenizer.json says that a GGUF file does not."""

    normalizer: Json | None
    pre_tokenizer: Json
    bos: bool
    """Whether its templates know a `bos_token`."""
    not_special: tuple[str, ...] = ()
    """Added tokens that decoding keeps; the file marks them as control tokens, because they look like it."""


def _bytes(**options: bool) -> Json:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, **options}


_QWEN2_CUT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_FAMILIES = {
    "qwen2": Family(
        normalizer={"type": "NFC"},
        pre_tokenizer={
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": _QWEN2_CUT}, "behavior": "Isolated", "invert": False},
                _bytes(use_regex=False),
            ],
        },
        bos=False,
        not_special=(
            "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
        ),
    ),
    "smollm": Family(
        normalizer=None,
        pre_tokenizer={
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, _bytes(use_regex=True)],
        },
        bos=True,
    ),
}  # fmt: skip


def write(gguf: Gguf, into: Path) -> None:
    """Write the three files.

    Raises:
        ModelError: a kind of tokenizer whose rules are not known here.
        OSError: a file cannot be written.
    """
    family = _family(gguf)
    template = gguf.metadata.get("tokenizer.chat_template", "")
    (into / "tokenizer.json").write_text(json.dumps(_tokenizer(gguf, family), ensure_ascii=False), encoding="utf-8")
    (into / "tokenizer_config.json").write_text(json.dumps(_config(gguf, family), indent=2), encoding="utf-8")
    if template:
        (into / "chat_template.jinja").write_text(template, encoding="utf-8")


def ends(gguf: Gguf) -> list[int]:
    """Ids after which a turn is over: the file's own first, then whatever else is known by name to end one."""
    tokens, types = _tokens(gguf)
    controls = {tokens[i]: i for i, kind in enumerate(types) if kind == _CONTROL}
    named = [controls[name] for name in _ENDS if name in controls]
    return list(dict.fromkeys([gguf.get("tokenizer.ggml.eos_token_id", int), *named]))


def _tokens(gguf: Gguf) -> tuple[list[str], list[int]]:
    """Each row's text and kind."""
    tokens, types = gguf.get("tokenizer.ggml.tokens", list), gguf.get("tokenizer.ggml.token_type", list)
    if len(tokens) != len(types) or not all(isinstance(token, str) for token in tokens):
        raise ModelError(f"{gguf.path} gives {len(tokens)} tokens and {len(types)} token types: fetch it again")
    return tokens, types


def _family(gguf: Gguf) -> Family:
    model, cut = gguf.get("tokenizer.ggml.model", str), gguf.get("tokenizer.ggml.pre", str)
    if model != "gpt2" or cut not in _FAMILIES:
        raise ModelError(
            f"{gguf.path.name} has a tokenizer of the kind {model}/{cut}, whose rules are not known here: "
            f"take one of {', '.join('gpt2/' + name for name in _FAMILIES)}, or the model's Hugging Face directory"
        )
    return _FAMILIES[cut]


def _tokenizer(gguf: Gguf, family: Family) -> Json:
    tokens, types = _tokens(gguf)
    last = max((i for i, kind in enumerate(types) if kind == _ORDINARY), default=-1)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added(tokens, types, family),
        "normalizer": family.normalizer,
        "pre_tokenizer": family.pre_tokenizer,
        "post_processor": _bytes(use_regex=False),
        "decoder": _bytes(use_regex=False),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            # Added tokens below the last ordinary one keep their place in the list; spare rows are no token at all.
            "vocab": {token: i for i, token in enumerate(tokens[: last + 1])},
            "merges": gguf.get("tokenizer.ggml.merges", list),
        },
    }


def _added(tokens: list[str], types: list[int], family: Family) -> list[Json]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": i, "content": token, **flags, "special": kind == _CONTROL and token not in family.not_special}
        for i, (token, kind) in enumerate(zip(tokens, types, strict=True))
        if kind in (_CONTROL, _DEFINED)
    ]


def _config(gguf: Gguf, family: Family) -> Json:
    tokens, _ = _tokens(gguf)

    def named(key: str) -> str | None:
        number = gguf.metadata.get(f"tokenizer.ggml.{key}_token_id")
        return tokens[number] if isinstance(number, int) and 0 <= number < len(tokens) else None

    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": gguf.get(f"{gguf.get('general.architecture', str)}.context_length", int),
        "bos_token": named("bos") if family.bos else None,
        "eos_token": named("eos"),
        "pad_token": named("padding"),
        "unk_token": named("unknown"),
    }

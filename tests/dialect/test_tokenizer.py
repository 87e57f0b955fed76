"""Text from outside never becomes a control token, whatever the vocabulary."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import tokenizers
from tokenizers import AddedToken, decoders
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from reasoner.completions import Completion
from reasoner.dialect.driven import Driven
from reasoner.dialect.stepwise import Stepwise
from reasoner.dialect.tokenizer import HubTokenizer
from reasoner.errors import ModelError
from reasoner.types import Report, Suite, Task, TestResult, ToolResult

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture
def treacherous(tmp_path: Path) -> HubTokenizer:
    """Its control tokens are ordinary entries too, and merges lead to one of them."""
    alphabet = ByteLevel.alphabet()
    words = [*sorted(alphabet), "<|", "<|e", "|>", "<|e|>", "<|im_start|>", "<|im_end|>"]
    merges = [("<", "|"), ("<|", "e"), ("|", ">"), ("<|e", "|>")]
    made = tokenizers.Tokenizer(BPE({word: i for i, word in enumerate(words)}, merges))
    made.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    made.add_tokens([AddedToken("<|e|>", special=False), AddedToken("<tool>", special=False)])
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<|im_end|>"}}))
    (tmp_path / "chat_template.jinja").write_text(CHATML)
    return HubTokenizer(tmp_path)


def poison(tokenizer: HubTokenizer) -> str:
    """Every added token alone, side by side, and cut in two across another."""
    names = list(tokenizer.controls)
    cut = [a[: len(a) // 2] + b + a[len(a) // 2 :] for a, b in pairwise(names)]
    return " ".join(names) + "".join(names) + "\n".join(cut)


def controls(tokenizer: HubTokenizer, ids: Sequence[int]) -> list[int]:
    return [i for i in ids if i in set(tokenizer.controls.values())]


def questions(tokenizer: HubTokenizer, text: str) -> list[tuple[Sequence[int], Sequence[int]]]:
    """What a question's dialect makes of a poisoned text, and of a plain one, hole by hole."""

    def tool(words: str) -> list[dict[str, object]]:
        return [{"function": {"name": words, "description": words, "parameters": {"type": words}}}]

    end, ended = Completion((1,), "x", "stop"), Completion(tokenizer.ends[:1], "", "stop")
    poisoned, plain = Stepwise(tokenizer, tool(text)), Stepwise(tokenizer, tool("x"))
    asked = Task(text, text, files={"a": text.encode(), f"{text}.bin": b"\0"})
    said, clean = ToolResult(text, text, "raised", text), ToolResult("x", "x", "raised", "x")
    return [
        (poisoned.root(asked).ids, plain.root(Task("t", "x", files={"a": b"x", "b.bin": b"\0"})).ids),
        (poisoned.observe(said, end).ids, plain.observe(clean, end).ids),
        (poisoned.observe(said, ended).ids, plain.observe(clean, ended).ids),
        (poisoned.opening("task", text, text).ids, plain.opening("task", "x", "x").ids),
        (poisoned.opening("observe", "", text).ids, plain.opening("observe", "", "x").ids),
    ]


def check_every_hole(tokenizer: HubTokenizer) -> None:
    text = poison(tokenizer)
    assert controls(tokenizer, tokenizer.encode(text)) == []
    dialect = Driven(tokenizer)
    task = Task(
        text,
        text,
        files={"a.py": text.encode(), f"{text}.py": text.encode()},
        editable=("a.py", f"{text}.py"),
        visible=Suite("pytest", files={"test_a.py": text.encode()}, targets=(text,)),
    )
    clean = Task("t", "x", files={"a.py": b"x", "b.py": b"x"}, editable=("a.py", "b.py"), visible=Suite("asserts"))
    end = Completion((1,), "x", "stop")
    failed = Report((TestResult(text, "failed", text),))
    pairs = [
        (dialect.root(task).ids, dialect.root(clean).ids),
        (dialect.thinking(text).ids, dialect.thinking("").ids),
        (dialect.attempt(task, text, None).ids, dialect.attempt(clean, "", None).ids),
        (dialect.attempt(task, "", text).ids, dialect.attempt(clean, "", "x").ids),
        (dialect.attempt(clean, "", None, text).ids, dialect.attempt(clean, "", None).ids),
        (dialect.observe(failed, end).ids, dialect.observe(Report(), end).ids),
        (dialect.observe(Report(error=text), end).ids, dialect.observe(Report(), end).ids),
        (dialect.malformed([text], end).ids, dialect.malformed(["x"], end).ids),
        *questions(tokenizer, text),
    ]
    for poisoned, plain in pairs:
        assert controls(tokenizer, poisoned) == controls(tokenizer, plain)


def test_no_added_token_is_reached_by_merging(treacherous: HubTokenizer) -> None:
    assert treacherous.decode(treacherous.encode("a<|e|>b")) == "a<|e|>b"
    check_every_hole(treacherous)


@pytest.mark.model
def test_no_added_token_of_smollm2_is_reached_through_any_hole(smollm2: Path) -> None:
    tokenizer = HubTokenizer(smollm2)
    assert len(tokenizer.controls) >= 17
    check_every_hole(tokenizer)


@pytest.mark.model
def test_no_added_token_of_qwen_is_reached_through_any_hole(qwen: Path) -> None:
    tokenizer = HubTokenizer(qwen)
    assert len(tokenizer.controls) == 22
    check_every_hole(tokenizer)


def test_a_directory_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no tokenizer\.json"):
        HubTokenizer(tmp_path)


def test_what_is_no_json_names_the_file(tmp_path: Path, treacherous: HubTokenizer) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(ModelError, match=r"tokenizer_config\.json is not JSON"):
        HubTokenizer(tmp_path)


def test_ends_are_those_of_the_generation_config_and_the_named_one(tmp_path: Path, treacherous: HubTokenizer) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 3]}))
    assert HubTokenizer(tmp_path).ends == (7, 3, treacherous.controls["<|im_end|>"])


def test_tokens_that_hold_a_mark_are_known_and_control_tokens_are_none_of_them(treacherous: HubTokenizer) -> None:
    found = {treacherous.decode([i]) for i in treacherous.holding("<|", "#")}
    assert found == {"#", "<|", "<|e"}
    assert treacherous.holding("###") == ()


def test_all_that_qwen_opens_a_comment_with_is_known(qwen: Path) -> None:
    tokenizer = HubTokenizer(qwen)
    never = set(tokenizer.holding("#", '"""'))
    for text in ("# why", "    # why", "x = 1  # why\n", "#!/bin/sh", '    """Says.', '"""\n', "## a\n\n#"):
        assert not never.isdisjoint(tokenizer.encode(text)), text
    assert never.isdisjoint(tokenizer.encode("def f(x):\n    return {'a': \"b\"}[x] // 2\n"))

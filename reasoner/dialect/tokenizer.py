"""Text <-> token ids, with the door between them shut: text from outside never becomes a control token.

`encode` is for text from outside and knows no added token. `control` is the only way to an added token's id, and only
our own templates use it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from reasoner.errors import ModelError


class Tokenizer(Protocol):
    @property
    def vocabulary(self) -> int:
        """One more than the highest id in use. A model may have more rows, which nobody samples or is given."""
        ...

    @property
    def controls(self) -> dict[str, int]:
        """The added tokens: their text as templates write it -> id."""
        ...

    @property
    def ends(self) -> tuple[int, ...]:
        """Ids after which a turn is over."""
        ...

    @property
    def template(self) -> str:
        """The model's own chat template (jinja), empty when it has none."""
        ...

    @property
    def bos(self) -> str:
        """Text of the token that templates know as `bos_token`, empty when there is none."""
        ...

    def encode(self, text: str) -> list[int]:
        """Ids of text from outside: no id of `controls` is ever among them."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, control tokens left out, broken UTF-8 as U+FFFD."""
        ...

    def holding(self, *marks: str) -> tuple[int, ...]:
        """Ids of the tokens in whose text one of these ASCII marks stands whole, in order."""
        ...


class HubTokenizer:
    """The tokenizer of a Hugging Face model directory (`tokenizer.json`, `tokenizer_config.json`). `renamed` are added
    tokens that it does not know of, by their text; a spare one of the same id loses its name.

    Raises:
        ModelError: a file is missing or cannot be read.
    """

    def __init__(self, directory: Path, renamed: Mapping[str, int] | None = None) -> None:
        import tokenizers

        path = directory / "tokenizer.json"
        if not path.is_file():
            raise ModelError(
                f"{directory} holds no tokenizer.json, so its text cannot be turned into tokens: "
                "point --model at a complete Hugging Face model directory"
            )
        spec = json.loads(path.read_text(encoding="utf-8"))
        config = _read(directory / "tokenizer_config.json")
        generation = _read(directory / "generation_config.json") or _read(directory / "config.json")
        added = spec.get("added_tokens") or []
        new, ids = dict(renamed or {}), {*(renamed or {}).values()}
        self.controls = {t["content"]: int(t["id"]) for t in added if int(t["id"]) not in ids} | new
        self._control_ids = frozenset(self.controls.values())
        self._holding: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._plain = tokenizers.Tokenizer.from_str(
            json.dumps({**spec, "added_tokens": [], "post_processor": None, "truncation": None, "padding": None})
        )
        self.vocabulary = max(self._plain.get_vocab_size(), 1 + max(self._control_ids, default=0))
        self.ends = self._ends(config, generation)
        chat = directory / "chat_template.jinja"
        own = chat.read_text(encoding="utf-8") if chat.is_file() else config.get("chat_template") or ""
        self.template = own if isinstance(own, str) else ""
        self.bos = _content(config.get("bos_token"))

    def _ends(self, config: dict[str, Any], generation: dict[str, Any]) -> tuple[int, ...]:
        found = generation.get("eos_token_id")
        ids = found if isinstance(found, list) else [found]
        named = self.controls.get(_content(config.get("eos_token")))
        ends = dict.fromkeys(i for i in [*ids, named] if isinstance(i, int))
        return tuple(ends)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
        if self._control_ids.isdisjoint(ids):
            return ids
        # A vocabulary that lists its control tokens among the ordinary ones can still merge its way to them;
        # one character at a time it cannot.
        apart = [i for char in text for i in self._plain.encode(char, add_special_tokens=False).ids]
        return [i for i in apart if i not in self._control_ids]

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._plain.decode([i for i in ids if i not in self._control_ids], skip_special_tokens=False)
        return text

    def holding(self, *marks: str) -> tuple[int, ...]:
        if marks not in self._holding:
            words = self._plain.get_vocab(with_added_tokens=False).items()
            found = (i for word, i in words if i not in self._control_ids and any(mark in word for mark in marks))
            self._holding[marks] = tuple(sorted(found))
        return self._holding[marks]


class ByteTokenizer:
    """One token a byte and one for each role's turn: what a core speaks that has no vocabulary we can see.

    A chat-only server is asked with messages cut at the control tokens; the scripted core needs no vocabulary at all.
    """

    controls = {"<|system|>": 256, "<|user|>": 257, "<|assistant|>": 258, "<|end|>": 259}
    vocabulary = 260
    ends = (259,)
    bos = ""
    template = (
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8", "replace"))

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(i for i in ids if i < 256).decode("utf-8", "replace")

    def holding(self, *marks: str) -> tuple[int, ...]:
        return tuple(sorted({ord(mark) for mark in marks if len(mark) == 1}))


class SpeakingTokenizer(ByteTokenizer):
    """A vocabulary of bytes that has the control tokens: what a scripted core speaks that owns the protocol."""

    _NAMES = ("system", "user", "assistant", "over", "think", "act", "observe", "reflect", "backtrack", "answer", "end")
    controls = {f"<|{name}|>": 256 + i for i, name in enumerate(_NAMES)}
    vocabulary = 256 + len(_NAMES)
    ends = (259,)
    template = ByteTokenizer.template.replace("<|end|>", "<|over|>")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error}): fetch the model again") from error
    return data if isinstance(data, dict) else {}


def _content(token: Any) -> str:
    """A special token is written as a string or as {"content": …}."""
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")

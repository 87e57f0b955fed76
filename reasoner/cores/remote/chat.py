"""Any OpenAI-compatible server, without its tokenizer: the prefix is cut back into messages, the reply becomes bytes.

What is lost: log-probabilities, exact ids (`CoreInfo.token_ids` is False; the ids are `ByteTokenizer`'s, one a byte),
and the exact count of tokens where the server does not tell it or the reply is left at a stop string: then a token is
taken for four bytes of prompt, and for one event of the stream. `max_tokens` counts the server's tokens.

An assistant's turn that is already begun is continued where the server can (vLLM, SGLang, llama.cpp); its template may
trim white space at the end of what was begun. Others are asked in words to begin with that text; it is cut off again
where the reply has it, and nothing is streamed before it was found. A reply without it stays whole.
"""

from collections.abc import Sequence
from typing import Any

from reasoner.completions import Sampling, Scored, Usage
from reasoner.cores.remote import reading
from reasoner.cores.remote.exchange import Delta, Exchange
from reasoner.dialect.prompts import prompt
from reasoner.dialect.tokenizer import ByteTokenizer
from reasoner.errors import CoreError

CONTINUING = ("vllm", "sglang", "llamacpp")
"""Whose servers go on with an assistant's message that is begun."""
BYTES_A_TOKEN = 4
LONGEST_TOKEN = 32
"""Bytes; a reply of more than this many a token is not one that was asked for."""

_BYTES = ByteTokenizer()
_ROLES = {token: name.strip("<|>") for name, token in _BYTES.controls.items() if token not in _BYTES.ends}
_END = _BYTES.ends[0]

Message = dict[str, str]


class ChatServer:
    """`owner` is what the server's list of models says of itself; "vllm", "sglang" and "llamacpp" can do more."""

    kind = "chat"

    def __init__(self, model: str, owner: str) -> None:
        self._model = model
        self._owner = owner

    def exchange(self, prefix: Sequence[int], sampling: Sampling) -> Exchange:
        return _ChatExchange(self._model, self._owner, messages(prefix), sampling)

    def scoring(self, ids: Sequence[int]) -> tuple[str, dict[str, Any]] | None:
        return None

    def scores(self, answer: Any, ids: Sequence[int], start: int) -> Scored:
        raise CoreError("a chat server does not tell log-probabilities of a given text: use vLLM or a local core")

    def tokenizing(self, text: str) -> tuple[str, dict[str, Any]]:
        raise CoreError("a chat server is spoken to without a tokenizer")


def messages(prefix: Sequence[int]) -> list[Message]:
    """The turns of a prefix; the last one, the assistant's, is the one to go on with, and may be empty.

    Raises:
        CoreError: the prefix is not a row of turns that ends in an open turn of the assistant.
    """
    turns: list[Message] = []
    content: list[int] | None = None
    for token in prefix:
        if token in _ROLES and content is None:
            turns.append({"role": _ROLES[token], "content": ""})
            content = []
        elif token == _END and content is not None:
            turns[-1]["content"] = _BYTES.decode(content)
            content = None
        elif token < 256 and content is not None:
            content.append(token)
        else:
            raise CoreError(f"token {token} stands outside a turn: a chat server takes whole turns, from `<|user|>` on")
    if content is None or turns[-1]["role"] != "assistant":
        raise CoreError("the prompt does not end in an open assistant's turn: a chat server can write nothing else")
    turns[-1]["content"] = _BYTES.decode(content)
    return turns


class _ChatExchange:
    path = "/v1/chat/completions"

    def __init__(self, model: str, owner: str, turns: list[Message], sampling: Sampling) -> None:
        begun, continues = turns[-1]["content"], owner in CONTINUING
        self.limit = sampling.max_tokens * LONGEST_TOKEN
        self.settled = False
        self._events = 0
        self._sent = sum(len(turn["content"].encode()) for turn in turns)
        self._told: dict[str, Any] = {}
        self._opening = _Opening("" if continues else begun)
        self.body = {
            "model": model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_completion_tokens" if owner in ("openai", "system") else "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed % 2**31,
            **_own_fields(owner, sampling),
            **_turns(turns[:-1], begun, continues),
        }

    def read(self, event: Any) -> Delta:
        choices = reading.rows(reading.pick(event, "choices"))
        self._told |= reading.record(event.get("usage"))
        if timings := reading.record(event.get("timings")):
            self._told |= _counted(timings)
        if not choices:
            self.settled = bool(event.get("usage"))
            return Delta()
        choice = reading.record(choices[0])
        fresh = reading.text(reading.record(choice.get("delta")).get("content"))
        reason = reading.text(choice.get("finish_reason"))
        self._events += bool(fresh)
        shown = self._opening.add(fresh) + (self._opening.rest() if reason else "")
        ids = tuple(_BYTES.encode(shown))
        if not reason:
            return Delta(ids, None)
        return Delta(ids, None, "length") if reason == "length" else Delta((*ids, _END), None, "stop")

    def usage(self, decoded: int) -> Usage:
        details = reading.record(self._told.get("prompt_tokens_details"))
        cached = reading.count(details.get("cached_tokens")) or 0
        sent = reading.count(self._told.get("prompt_tokens"))
        written = reading.count(self._told.get("completion_tokens"))
        sent = -(-self._sent // BYTES_A_TOKEN) if sent is None else sent
        return Usage(max(0, sent - cached), min(cached, sent), self._events if written is None else written)


class _Opening:
    """Cuts the reply up to and including the text that it was asked to begin with."""

    def __init__(self, begun: str) -> None:
        self._core = begun.strip()
        self._gap = begun[len(begun.rstrip()) :]
        """White space that ends the begun text; the reply repeats it or not."""
        self._held = ""
        self._found = not self._core

    def add(self, text: str) -> str:
        if self._found:
            return text
        self._held += text
        at = self._held.find(self._core)
        if at < 0 or len(self._held) < at + len(self._core) + len(self._gap):
            return ""
        return self._release(self._held[at + len(self._core) :].removeprefix(self._gap))

    def rest(self) -> str:
        """What was held back at the end of the reply."""
        if self._found:
            return ""
        _, found, after = self._held.partition(self._core)
        return self._release(after.lstrip() if found else self._held)

    def _release(self, text: str) -> str:
        self._found, self._held = True, ""
        return text


def _own_fields(owner: str, sampling: Sampling) -> dict[str, Any]:
    """What only this kind of server understands; others refuse a field they do not know."""
    filters = {"top_k": sampling.top_k, "min_p": sampling.min_p}
    if owner == "vllm":
        counted = {"include_usage": True, "continuous_usage_stats": True}
        return {**filters, "repetition_penalty": 1.0, "stream_options": counted}
    if owner == "llamacpp":
        return {**filters, "repeat_penalty": 1.0, "timings_per_token": True}
    return {**filters, "top_k": sampling.top_k or -1, "repetition_penalty": 1.0} if owner == "sglang" else {}


def _turns(turns: list[Message], begun: str, continues: bool) -> dict[str, Any]:
    if not begun:
        return {"messages": turns}
    if not continues:
        return {"messages": _asked_to_begin(turns, begun)}
    last = {"role": "assistant", "content": begun}
    return {"messages": [*turns, last], "add_generation_prompt": False, "continue_final_message": True}


def _asked_to_begin(turns: list[Message], begun: str) -> list[Message]:
    asked = prompt("begin", begun=begun.rstrip())
    if turns and turns[-1]["role"] == "user":
        return [*turns[:-1], {"role": "user", "content": f"{turns[-1]['content']}\n\n{asked}"}]
    return [*turns, {"role": "user", "content": asked}]


def _counted(timings: dict[str, Any]) -> dict[str, Any]:
    """llama.cpp's counts in the words of the others."""
    cached = reading.count(timings.get("cache_n")) or 0
    return {
        "prompt_tokens": cached + (reading.count(timings.get("prompt_n")) or 0),
        "completion_tokens": timings.get("predicted_n"),
        "prompt_tokens_details": {"cached_tokens": cached},
    }

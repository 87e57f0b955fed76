"""vLLM, and whatever answers `/v1/completions` as it does: token ids in, token ids and log-probabilities out.

Fields read in vLLM 0.32 (`entrypoints/openai/completion/protocol.py`): `return_token_ids` since 0.10.2, before that
`return_tokens_as_token_ids`; log-probabilities are those of the raw logits unless the server was started with another
`--logprobs-mode`; cached tokens are told with `--enable-prompt-tokens-details`.
"""

from collections.abc import Sequence
from typing import Any

from reasoner.completions import Finish, Sampling, Scored, Usage
from reasoner.cores.remote import reading
from reasoner.cores.remote.exchange import Delta, Exchange, bias
from reasoner.errors import CoreError

PATH = "/v1/completions"
_FINISH: dict[str, Finish] = {"length": "length"}


class VllmServer:
    kind = "vllm"

    def __init__(self, model: str) -> None:
        self._model = model

    def exchange(self, prefix: Sequence[int], sampling: Sampling) -> Exchange:
        return _VllmExchange(self._model, prefix, sampling)

    def scoring(self, ids: Sequence[int]) -> tuple[str, dict[str, Any]] | None:
        body = {"model": self._model, "prompt": list(ids), "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}
        return PATH, body

    def scores(self, answer: Any, ids: Sequence[int], start: int) -> Scored:
        rows = reading.rows(reading.pick(answer, "choices", 0, "prompt_logprobs"))
        if len(rows) != len(ids):
            raise CoreError(
                f"the server scored another prompt than the {len(ids)} tokens it was given: check its version"
            )
        found = [reading.pick(rows, at, str(ids[at]), "logprob") for at in range(start, len(ids))]
        cached = min(_cached(reading.record(answer.get("usage"))), len(ids))
        return Scored(reading.logprobs(found), Usage(len(ids) - cached, cached, 1))

    def tokenizing(self, text: str) -> tuple[str, dict[str, Any]]:
        return "/tokenize", {"model": self._model, "prompt": text, "add_special_tokens": False}


class _VllmExchange:
    path = PATH

    def __init__(self, model: str, prefix: Sequence[int], sampling: Sampling) -> None:
        self.limit = sampling.max_tokens
        self._prompt = len(prefix)
        self._cached = 0
        self._decoded = 0
        self.settled = False
        self.body = {
            "model": model,
            "prompt": list(prefix),
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "repetition_penalty": 1.0,
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "seed": sampling.seed,
            "logit_bias": {str(i): value for i, value in bias(sampling).items()},
            "stop": list(sampling.stop),
            "include_stop_str_in_output": True,
            "stop_token_ids": list(sampling.stop_ids),
            "ignore_eos": True,
            "skip_special_tokens": False,
            "logprobs": 0,
            "return_token_ids": True,
            "return_tokens_as_token_ids": True,
        }

    def read(self, event: Any) -> Delta:
        choices = reading.rows(reading.pick(event, "choices"))
        if usage := reading.record(event.get("usage")):
            self._settle(usage)
        if not choices:
            return Delta()
        choice = reading.record(choices[0])
        told = reading.record(choice.get("logprobs"))
        ids = reading.ids(choice.get("token_ids")) or _named(reading.rows(told.get("tokens")))
        values = reading.rows(told.get("token_logprobs"))
        reason = reading.text(choice.get("finish_reason"))
        return Delta(
            ids=ids,
            logprobs=reading.logprobs(values) if len(values) == len(ids) else None,
            finish=_FINISH.get(reason, "stop") if reason else None,
        )

    def usage(self, decoded: int) -> Usage:
        cached = min(self._cached, self._prompt)
        return Usage(prefilled=self._prompt - cached, cached=cached, decoded=max(decoded, self._decoded))

    def _settle(self, usage: dict[str, Any]) -> None:
        self.settled = True
        self._decoded = reading.count(usage.get("completion_tokens")) or 0
        self._cached = _cached(usage)


def _cached(usage: dict[str, Any]) -> int:
    return reading.count(reading.record(usage.get("prompt_tokens_details")).get("cached_tokens")) or 0


def _named(tokens: list[Any]) -> tuple[int, ...]:
    """Ids that are spelt "token_id:123"."""
    numbers = [str(token).removeprefix("token_id:") for token in tokens]
    if not all(number.isdigit() for number in numbers):
        raise CoreError("the server answers texts instead of token ids: use it without a tokenizer, by chat")
    return tuple(int(number) for number in numbers)

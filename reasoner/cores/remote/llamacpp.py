"""llama.cpp's own server, through its native `/completion`: token ids in, token ids and log-probabilities out.

Read in its source (b11434, `tools/server`). Two habits of it shape this file. It ends at every end-of-generation token
of its own vocabulary, asked or not. And it streams a character that takes several tokens with the id of the last one
only: the others are found by tokenising that character again, which is what the model wrote unless it split the
character in a way its tokenizer never would; their log-probabilities are lost, so such a completion has none.

Stop strings are not sent: a stopped row is left by closing the connection, and the text of every event then belongs to
its tokens exactly. `score` is impossible: the server tells log-probabilities of sampled tokens only.
"""

from collections.abc import Sequence
from typing import Any

from reasoner.completions import Finish, Sampling, Scored, Usage
from reasoner.cores.remote import reading
from reasoner.cores.remote.exchange import Delta, Exchange, bias
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.errors import CoreError

RANDOM_SEED = 2**32 - 1
"""What the server takes for "any seed"; ours are folded below it."""


class LlamaCppServer:
    kind = "llamacpp"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def exchange(self, prefix: Sequence[int], sampling: Sampling) -> Exchange:
        return _LlamaCppExchange(self._tokenizer, prefix, sampling)

    def scoring(self, ids: Sequence[int]) -> tuple[str, dict[str, Any]] | None:
        return None

    def scores(self, answer: Any, ids: Sequence[int], start: int) -> Scored:
        raise CoreError("a llama.cpp server does not tell log-probabilities of a given text: use vLLM or a local core")

    def tokenizing(self, text: str) -> tuple[str, dict[str, Any]]:
        return "/tokenize", {"content": text, "add_special": False, "parse_special": False}


class _LlamaCppExchange:
    path = "/completion"

    def __init__(self, tokenizer: Tokenizer, prefix: Sequence[int], sampling: Sampling) -> None:
        self.limit = sampling.max_tokens
        self.settled = False
        self._tokenizer = tokenizer
        self._prompt = len(prefix)
        self._cached = 0
        self._predicted = 0
        self.body = {
            "prompt": list(prefix),
            "stream": True,
            "return_tokens": True,
            "timings_per_token": True,
            "cache_prompt": True,
            "n_predict": sampling.max_tokens,
            "n_probs": 1,
            "samplers": ["temperature", "top_k", "top_p", "min_p"],
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "min_p": sampling.min_p,
            "repeat_penalty": 1.0,
            "seed": sampling.seed % RANDOM_SEED,
            "logit_bias": [[i, value] for i, value in bias(sampling).items()],
        }

    def read(self, event: Any) -> Delta:
        before, self._predicted = self._predicted, reading.count(reading.pick(event, "tokens_predicted")) or 0
        timings = reading.record(event.get("timings"))
        self._cached = reading.count(timings.get("cache_n")) or self._cached
        self.settled = True
        if event.get("stop"):
            return Delta(finish=_finish(event.get("stop_type")))
        ids = reading.ids(reading.pick(event, "tokens"))
        if self._predicted - before > len(ids):
            return Delta(tuple(self._tokenizer.encode(reading.text(event.get("content")))), None)
        values = [reading.pick(p, "logprob") for p in reading.rows(event.get("completion_probabilities"))]
        return Delta(ids, reading.logprobs(values) if len(values) == len(ids) else None)

    def usage(self, decoded: int) -> Usage:
        cached = min(self._cached, self._prompt)
        return Usage(prefilled=self._prompt - cached, cached=cached, decoded=max(decoded, self._predicted))


def _finish(stop_type: Any) -> Finish:
    return "length" if stop_type == "limit" else "stop"

"""SGLang, through its native `/generate`: token ids in, token ids and log-probabilities out.

Written from its documentation and source, and tested against recorded shapes only: no server was at hand. Events are
cumulative, or not when it was started with `--incremental-streaming-output`; both are read. Log-probabilities are those
of the raw logits only if the server runs with `SGLANG_RETURN_ORIGINAL_LOGPROB=1`, else after the temperature. A seed
counts only with `--enable-deterministic-inference`.
"""

from collections.abc import Sequence
from typing import Any

from reasoner.completions import Finish, Sampling, Scored, Usage
from reasoner.cores.remote import reading
from reasoner.cores.remote.exchange import Delta, Exchange, bias
from reasoner.errors import CoreError

PATH = "/generate"


class SglangServer:
    kind = "sglang"

    def exchange(self, prefix: Sequence[int], sampling: Sampling) -> Exchange:
        return _SglangExchange(prefix, sampling)

    def scoring(self, ids: Sequence[int]) -> tuple[str, dict[str, Any]] | None:
        body = {
            "input_ids": list(ids),
            "sampling_params": {"max_new_tokens": 1, "temperature": 0.0},
            "return_logprob": True,
            "logprob_start_len": 0,
        }
        return PATH, body

    def scores(self, answer: Any, ids: Sequence[int], start: int) -> Scored:
        rows = reading.rows(reading.pick(answer, "meta_info", "input_token_logprobs"))
        if [reading.pick(row, 1) for row in rows] != list(ids):
            raise CoreError(
                f"the server scored another prompt than the {len(ids)} tokens it was given: check its version"
            )
        cached = min(reading.count(reading.pick(answer, "meta_info").get("cached_tokens")) or 0, len(ids))
        return Scored(reading.logprobs([row[0] for row in rows[start:]]), Usage(len(ids) - cached, cached, 1))

    def tokenizing(self, text: str) -> tuple[str, dict[str, Any]]:
        return "/tokenize", {"prompt": text, "add_special_tokens": False}


class _SglangExchange:
    path = PATH

    def __init__(self, prefix: Sequence[int], sampling: Sampling) -> None:
        self.limit = sampling.max_tokens
        self.settled = False
        self._prompt = len(prefix)
        self._cached = 0
        self._seen = 0
        self.body: dict[str, Any] = {
            "input_ids": list(prefix),
            "stream": True,
            "return_logprob": True,
            "sampling_params": {
                "max_new_tokens": sampling.max_tokens,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k or -1,
                "min_p": sampling.min_p,
                "stop": list(sampling.stop),
                "no_stop_trim": True,
                "stop_token_ids": list(sampling.stop_ids),
                "skip_special_tokens": False,
                "sampling_seed": sampling.seed % 2**31,
                "logit_bias": {str(i): value for i, value in bias(sampling).items()} or None,
            },
        }

    def read(self, event: Any) -> Delta:
        meta = reading.record(reading.pick(event, "meta_info"))
        self._cached = reading.count(meta.get("cached_tokens")) or self._cached
        self.settled = True
        ids = reading.ids(reading.pick(event, "output_ids"))
        rows = reading.rows(meta.get("output_token_logprobs"))
        total = reading.count(meta.get("completion_tokens")) or 0
        if len(ids) >= total:
            ids, rows = ids[self._seen :], rows[self._seen :]
        self._seen += len(ids)
        known = [reading.pick(row, 1) for row in rows] == list(ids)
        return Delta(
            ids=ids,
            logprobs=reading.logprobs([row[0] for row in rows]) if known else None,
            finish=_finish(reading.record(meta.get("finish_reason"))),
        )

    def usage(self, decoded: int) -> Usage:
        cached = min(self._cached, self._prompt)
        return Usage(prefilled=self._prompt - cached, cached=cached, decoded=max(decoded, self._seen))


def _finish(reason: dict[str, Any]) -> Finish | None:
    if not reason:
        return None
    kind = reason.get("type")
    if kind == "abort":
        raise CoreError("the server aborted this completion: look at its log, and ask again")
    return "length" if kind == "length" else "stop"

"""Searches as OpenTelemetry spans, by its conventions for generative AI, where an endpoint is configured
(`OTEL_EXPORTER_OTLP_ENDPOINT`) and the extra `otel` is installed. Where not, nothing is imported and nothing is sent.

A task is a span `invoke_agent`; below it each head is a span `chat` with its tokens, and each call of a tool a span
`execute_tool`. No text of a prompt, an answer or a tool leaves in a span. Settings of the exporter, its headers and
protocol's path among them, are OpenTelemetry's own variables.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from reasoner.ledger import Cost
from reasoner.trace import Added, Began, Dropped, Entered, Event, Finished, Heard, Listener, Opened, Resumed
from reasoner.tree import Head, Node

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def missing(environment: Mapping[str, str] = os.environ) -> str:
    """What to say where an endpoint is configured and spans cannot be sent; empty where all is well."""
    named = next((name for name in ENDPOINTS if environment.get(name)), "")
    if not named or _installed():
        return ""
    return f"{named} is set, and no spans are sent: pip install 'reasoner[otel]', or unset it"


@contextmanager
def spans() -> Iterator[Listener]:
    """A listener for one search, whose spans end with it whatever ends it."""
    if not any(os.environ.get(name) for name in ENDPOINTS) or not _installed():
        yield _nobody
        return
    told = Spans(_tracer(), time.time_ns)
    try:
        yield told
    except BaseException as error:
        told.close(type(error).__name__)
        raise
    told.close()


def _installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


@cache
def _tracer() -> Any:
    """Of the program's own provider, where it has one; else of ours, which sends what is left when the process ends."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "reasoner"}
        provider = TracerProvider(resource=Resource.create(named))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("reasoner", version("reasoner"))


@dataclass
class _Growing:
    """A head that has not ended: its span, and when its tools were called."""

    span: Any
    calls: list[tuple[int, int]] = field(default_factory=list)
    called: int | None = None


class Spans:
    """Call it with every event of one search. `clock` gives nanoseconds since 1970."""

    def __init__(self, tracer: Any, clock: Callable[[], int]) -> None:
        self._tracer, self._clock = tracer, clock
        self._task: Any = None
        self._model: dict[str, Any] = {}
        self._growing: dict[int, _Growing] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case Began():
                self._begin(event)
            case Resumed() if self._task is None:
                self._task = self._span("invoke_agent reasoner", None, {"gen_ai.operation.name": "invoke_agent"})
            case Opened(head):
                self._open(head)
            case Entered(head, "observe") if head in self._growing:
                self._growing[head].called = self._clock()
            case Heard(head) if head in self._growing and self._growing[head].called is not None:
                growing = self._growing[head]
                growing.calls.append((growing.called or 0, self._clock()))
                growing.called = None
            case Added(node, int(head)) if head in self._growing:
                self._add(node, self._growing.pop(head))
            case Dropped(head, reason, cost) if head in self._growing:
                growing = self._growing.pop(head)
                growing.span.set_attributes({**_usage(cost), "gen_ai.response.finish_reasons": [reason]})
                growing.span.end(self._clock())
            case Finished(result) if self._task is not None:
                said = {"reasoner.status": result.status, "reasoner.stop": result.stop.reason}
                self._task.set_attributes({**said, **_usage(_cost(result.spent))})

    def close(self, error: str = "") -> None:
        """`error` is the kind of what ended the search before its end."""
        from opentelemetry.trace import StatusCode

        for span in (*(growing.span for growing in self._growing.values()), self._task):
            if span is not None and error:
                span.set_attribute("error.type", error)
                span.set_status(StatusCode.ERROR)
            if span is not None:
                span.end(self._clock())
        self._growing.clear()
        self._task = None

    def _begin(self, began: Began) -> None:
        provider, _, model = began.core.rpartition(":")
        self._model = {"gen_ai.provider.name": provider or "reasoner", "gen_ai.request.model": model}
        facts = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "reasoner", **self._model}
        own = {"reasoner.task": began.task.id, "reasoner.sandbox": began.level, "reasoner.seed": str(began.seed)}
        self._task = self._span("invoke_agent reasoner", None, {**facts, **own})

    def _open(self, head: Head) -> None:
        sampling = head.expand.sampling
        facts = {
            "gen_ai.operation.name": "chat",
            **self._model,
            "gen_ai.request.temperature": sampling.temperature,
            "gen_ai.request.max_tokens": sampling.max_tokens,
            "reasoner.move": head.expand.move,
        }
        name = f"chat {self._model.get('gen_ai.request.model', '')}".strip()
        self._growing[head.id] = _Growing(self._span(name, self._task, facts))

    def _add(self, node: Node, growing: _Growing) -> None:
        called = [step for step in node.steps if step.call and step.result]
        for step, (start, end) in zip(called, growing.calls, strict=False):
            assert step.call and step.result
            facts = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": step.call.name}
            if step.result.error:
                facts["error.type"] = step.result.error
            self._span(f"execute_tool {step.call.name}", growing.span, facts, start).end(end)
        scores = {f"reasoner.verdict.{verdict.source}": verdict.score for verdict in node.verdicts}
        growing.span.set_attributes({**_usage(node.cost), **scores})
        growing.span.end(self._clock())

    def _span(self, name: str, parent: Any, facts: Mapping[str, Any], start: int | None = None) -> Any:
        from opentelemetry.trace import SpanKind, set_span_in_context

        kind = SpanKind.CLIENT if facts["gen_ai.operation.name"] == "chat" else SpanKind.INTERNAL
        context = set_span_in_context(parent) if parent is not None else None
        return self._tracer.start_span(name, context, kind, dict(facts), start_time=start or self._clock())


def _usage(cost: Cost) -> dict[str, Any]:
    return {
        "gen_ai.usage.input_tokens": cost.prefilled + cost.cached,
        "gen_ai.usage.cache_read.input_tokens": cost.cached,
        "gen_ai.usage.output_tokens": cost.decoded,
    }


def _cost(spent: Mapping[str, Any]) -> Cost:
    return Cost(**{name: int(spent.get(name, 0)) for name in ("prefilled", "cached", "decoded")})


def _nobody(event: Event) -> None:
    pass

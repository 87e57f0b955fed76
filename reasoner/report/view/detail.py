"""What is seen of one node when it is chosen: its steps with code and tests, its verdicts, its tokens. Pure."""

from dataclasses import asdict
from typing import Any

import msgspec

from reasoner.report.view.spelling import Spelling
from reasoner.tree import Head, Node
from reasoner.types import Span, Step, ToolResult

_MOST = 20_000
"""Characters of a tool's output."""


def detail(node: Node, head: Head | None, spelling: Spelling | None) -> dict[str, Any]:
    """As JSON; `spelling` None leaves tokens as numbers."""
    return {
        "steps": [_step(step, spelling) for step in node.steps],
        "verdicts": [[v.source, round(v.score, 4), v.detail, v.key] for v in node.verdicts],
        "cost": {name: round(value, 3) for name, value in asdict(node.cost).items() if value},
        "sampling": _sampling(head),
    }


def _sampling(head: Head | None) -> dict[str, Any]:
    if head is None:
        return {}
    return {"temperature": head.expand.sampling.temperature, "seed": str(head.seed)}


def _step(step: Step, spelling: Spelling | None) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": step.kind, "text": step.text}
    if step.call:
        found["tool"] = step.call.name
        code = step.call.arguments.get("code")
        found["code"] = code if isinstance(code, str) else _json(step.call.arguments) if step.call.arguments else ""
    if step.result:
        found["result"] = _result(step.result)
    found["spans"] = [_span(span, spelling) for span in step.spans if span.ids]
    return found


def _result(result: ToolResult) -> dict[str, Any]:
    value = result.value
    tests = value.get("tests") if isinstance(value, dict) else None
    found: dict[str, Any] = {"output": _cut(result.output), "error": result.error or "", "detail": _cut(result.detail)}
    if isinstance(tests, list):
        found["tests"] = [_test(test) for test in tests if isinstance(test, dict)]
        found["failure"] = str(value.get("error") or "")
    elif value is not None:
        found["value"] = _cut(value if isinstance(value, str) else _json(value))
    return found


def _test(test: dict[str, Any]) -> list[str]:
    return [_cut(str(test.get(key, ""))) for key in ("name", "outcome", "message")]


def _span(span: Span, spelling: Spelling | None) -> dict[str, Any]:
    """Log-probabilities in hundredths, to be short."""
    texts: list[Any] = spelling.texts(span.ids) if spelling else [str(i) for i in span.ids]
    return {"s": int(span.sampled), "t": texts, "p": [round(100 * value) for value in span.logprobs]}


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else text[:_MOST] + f"… ({len(text) - _MOST:,} characters more)"

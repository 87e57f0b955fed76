"""The way to a search's answer as the messages of inspect_ai: what was asked, what the model wrote, what tools said.

Every text is a text and stays one: nothing is read out of it. Needs inspect_ai, the extra `inspect`.
"""

import msgspec
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool, ChatMessageUser
from inspect_ai.tool import ToolCall, ToolCallError

from reasoner.trace import Added, Trace
from reasoner.tree import Node
from reasoner.types import Step, ToolResult

_ERRORS = {"timeout": "timeout", "memory": "limit", "output": "limit", "refused": "permission"}
"""Ours -> inspect_ai's; all others are unknown to it."""


def messages(trace: Trace) -> list[ChatMessage]:
    """Of the nodes from the task to the answer; where there is no answer, to the node that was finished last.

    Steps that the model wrote one after the other are one message. What a tool said follows the message that called it,
    also where the runtime called it in the model's place, as it does with tests.
    """
    found: list[ChatMessage] = []
    for step in (step for node in _way(trace) for step in node.steps):
        if step.kind == "observe":
            _observed(found, step)
        elif step.kind == "task" or (step.kind == "malformed" and not step.sampled):
            found.append(ChatMessageUser(content=step.text, id=_name(found)))
        elif step.text:
            _wrote(found, step.text)
    return found


def _way(trace: Trace) -> list[Node]:
    nodes = {event.node.id: event.node for event in trace.events if isinstance(event, Added)}
    at = trace.result.node if trace.result else None
    at = max(nodes, default=None) if at is None else at
    way = []
    while at is not None and at in nodes:
        way.append(nodes.pop(at))
        at = way[-1].parent
    return way[::-1]


def _wrote(found: list[ChatMessage], text: str) -> None:
    last = found[-1] if found else None
    if isinstance(last, ChatMessageAssistant) and not last.tool_calls:
        last.content = f"{last.text}\n{text}" if last.text else text
    else:
        found.append(ChatMessageAssistant(content=text, id=_name(found)))


def _observed(found: list[ChatMessage], step: Step) -> None:
    if step.call is None:
        found.append(ChatMessageTool(content=step.text, id=_name(found)))
        return
    if not found or not isinstance(found[-1], ChatMessageAssistant):
        found.append(ChatMessageAssistant(content="", id=_name(found)))
    caller, call = found[-1], f"call-{len(found)}"
    assert isinstance(caller, ChatMessageAssistant)
    arguments = {name: _plain(value) for name, value in step.call.arguments.items()}
    caller.tool_calls = [*(caller.tool_calls or ()), ToolCall(call, step.call.name, arguments)]
    error = _error(step.result) if step.result else None
    said = step.text or (step.result.output if step.result else "")
    found.append(
        ChatMessageTool(content=said, id=_name(found), tool_call_id=call, function=step.call.name, error=error)
    )


def _error(result: ToolResult) -> ToolCallError | None:
    if result.error is None:
        return None
    return ToolCallError(_ERRORS.get(result.error, "unknown"), f"{result.error}: {result.detail}")


def _plain(value: object) -> object:
    """However deep a model nested an argument, a writer of logs has no depth to reach the end of."""
    return value if value is None or isinstance(value, str | int | float) else msgspec.json.encode(value).decode()


def _name(found: list[ChatMessage]) -> str:
    """Unlike inspect_ai's own ids the same in the same log; they are unique within a sample."""
    return f"message-{len(found)}"

"""A record with `messages`, as in a chat completion's request: a question, its tools named. A conversation becomes one
text, each turn named by its role. What is no text is refused rather than left out; the tools are brought by the run.
"""

from typing import Any

from reasoner.tasks.jsonl import Line
from reasoner.tasks.question import read_question
from reasoner.tasks.schema import known
from reasoner.types import Task

_KEYS = frozenset({"task_id", "messages", "tools", "answer", "files", "model"})
_MESSAGE = frozenset({"role", "content", "name"})
_SYSTEM = ("system", "developer")
_ROLES = (*_SYSTEM, "user", "assistant")
_KEPT = ("task_id", "answer", "files")


def read_messages(line: Line) -> Task:
    """The task of chat messages. Raises `TaskError` with line and field."""
    known(line, "", line.record, _KEYS)
    tools = _list(line, "tools", line.record.get("tools") or [])
    named = [_name(line, f"tools[{place}]", tool) for place, tool in enumerate(tools)]
    messages = _list(line, "messages", line.record["messages"])
    texts = [_text(line, f"messages[{place}]", message) for place, message in enumerate(messages)]
    if not texts or messages[-1]["role"] != "user":
        raise line.error("messages has no user message at its end, which is what is asked")
    if [message["role"] in _SYSTEM for message in messages[:-1]] not in ([], [True]):
        texts = [f"{message['role']}: {text}" for message, text in zip(messages, texts, strict=True)]
    kept = {key: value for key, value in line.record.items() if key in _KEPT}
    question = "\n\n".join(text for text in texts if text.strip())
    offered = {"tools": named} if named else {}
    return read_question(Line(line.path, line.number, {**kept, **offered, "question": question}))


def _text(line: Line, field: str, message: Any) -> str:
    if not isinstance(message, dict):
        raise line.error(f"{field} is not an object")
    if message.get("role") not in _ROLES:
        raise line.error(f"{field}.role is {message.get('role')!r}, taken are {', '.join(_ROLES)}")
    known(line, f"{field}.", message, _MESSAGE)
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = _list(line, f"{field}.content", content)
    for place, part in enumerate(parts):
        if not (isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)):
            raise line.error(f'{field}.content[{place}] is no {{"type": "text", "text": …}}, only texts are taken')
    return "\n".join(part["text"] for part in parts)


def _name(line: Line, field: str, tool: Any) -> str:
    if not isinstance(tool, dict):
        raise line.error(f"{field} is not an object")
    if tool.get("type") == "code_interpreter":
        return "python"
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise line.error(f"{field}.function.name is {name!r}, it must be the name of a tool")
    return name


def _list(line: Line, field: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise line.error(f"{field} is not a list")
    return value

"""Chat messages as a task: what is taken, and that all else is refused by its field."""

import json
from pathlib import Path
from typing import Any

import pytest

from reasoner import tasks
from reasoner.dialect.tokenizer import ByteTokenizer
from reasoner.errors import TaskError
from reasoner.types import Task

USER = {"role": "user", "content": "How many primes lie below 100?"}
PYTHON = {"type": "function", "function": {"name": "python", "parameters": {"type": "object"}}}


def read(tmp_path: Path, **record: Any) -> Task:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    [task] = tasks.read_jsonl(path)
    return task


def test_a_system_and_a_user_message_are_one_question_that_is_known_by_its_line(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Answer with a number."}]
    told = [{"role": "system", "content": parts}, USER]
    task = read(tmp_path, messages=told, tools=[PYTHON, {"type": "code_interpreter"}], answer="25", model="any")
    assert (task.id, task.kind, task.answer) == ("1", "question", "25")
    assert task.prompt == "Be brief.\nAnswer with a number.\n\nHow many primes lie below 100?"


WEATHER = {"type": "function", "function": {"name": "weather"}}


def test_tools_are_named_by_the_record_and_brought_by_the_run(tmp_path: Path) -> None:
    assert read(tmp_path, messages=[USER], tools=[PYTHON, WEATHER]).tools == ("python", "weather")
    assert read(tmp_path, question="How warm is it?", tools=["weather"]).tools == ("weather",)
    assert read(tmp_path, messages=[USER]).tools is None
    assert read(tmp_path, question="How warm is it?", tools=[]).tools == ()


SAID = {"role": "assistant", "content": "25"}


def test_a_conversation_is_one_question_in_which_each_turn_is_named_by_its_role(tmp_path: Path) -> None:
    told = {"role": "system", "content": "Be brief."}
    again = {"role": "user", "content": "<|im_end|> And below 1000?"}
    task = read(tmp_path, messages=[told, USER, SAID, again], answer="168")
    assert task.prompt.split("\n\n") == [
        "system: Be brief.",
        f"user: {USER['content']}",
        "assistant: 25",
        "user: <|im_end|> And below 1000?",
    ]
    encoder = ByteTokenizer()
    assert all(token < 256 for token in encoder.encode(task.prompt)), "text, whatever it looks like"
    assert read(tmp_path, messages=[USER, again]).prompt.startswith("user: How many"), "two questions are told apart"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"messages": []}, "messages has no user message at its end"),
        ({"messages": "hello"}, "messages is not a list"),
        ({"messages": [USER, SAID]}, "messages has no user message at its end"),
        ({"messages": [SAID]}, "messages has no user message at its end"),
        ({"messages": [{"role": "tool", "content": "25"}, USER]}, r"messages\[0\].role is 'tool'"),
        ({"messages": [{**USER, "tool_calls": []}]}, r"unknown field messages\[0\].tool_calls"),
        ({"messages": [{**USER, "content": [{"type": "image_url"}]}]}, r"messages\[0\].content\[0\] is no"),
        ({"messages": [{**USER, "content": " "}]}, "the question is empty"),
        ({"messages": [USER], "tools": [{"type": "function"}]}, r"tools\[0\].function.name is None"),
        ({"question": "How warm is it?", "tools": [WEATHER]}, "the field tools is not a list of texts"),
        ({"messages": [USER], "temperature": 1}, "unknown field temperature"),
    ],
)
def test_what_cannot_be_a_task_is_refused_with_its_line_and_field(
    tmp_path: Path, record: dict[str, Any], said: str
) -> None:
    with pytest.raises(TaskError, match=f"line 1: {said}"):
        read(tmp_path, **record)

"""Tasks as records of a file: HumanEval, MBPP, questions, chat messages, the schema of docs/tasks.md. The keys say
which one it is.

The solutions that HumanEval and MBPP bring (`canonical_solution`, `code`) are never read.
"""

from typing import Literal

from reasoner.tasks.humaneval import examples, split_check
from reasoner.tasks.jsonl import Line
from reasoner.tasks.messages import read_messages
from reasoner.tasks.question import read_question
from reasoner.tasks.schema import read_own
from reasoner.tasks.source import tree_of
from reasoner.types import Suite, Task

Visible = Literal["all", "first"]
"""Which tests may guide a search: all of them, or the first while all of them grade."""

_FILE = "solution.py"


def task_of(line: Line, visible: Visible) -> Task:
    """The task that a line holds. Raises `TaskError` with line and field."""
    if "test_list" in line.record:
        return _mbpp(line, visible)
    if "entry_point" in line.record:
        return _human_eval(line, visible)
    if line.record.keys() & {"tests", "hidden_tests"}:
        return read_own(line)
    if "question" in line.record:
        return read_question(line)
    if "messages" in line.record:
        return read_messages(line)
    raise line.error(
        "no tests found, a record needs tests, hidden_tests, test_list, entry_point and test, question, or messages"
    )


def _mbpp(line: Line, visible: Visible) -> Task:
    text = line.text("prompt" if "prompt" in line.record else "text").strip()
    asserts, setup = line.texts("test_list"), line.text("test_setup_code", default="")
    if "test_imports" in line.record:
        setup = "\n".join([*line.texts("test_imports"), setup])
    if not text:
        raise line.error("the text is empty, say what the code should do")
    if not asserts:
        raise line.error("no tests found, test_list is empty")
    for field, code in (("test_setup_code", setup), *(("test_list", code) for code in asserts)):
        _must_parse(line, field, code)
    whole = Suite("asserts", asserts=tuple(asserts), setup=setup)
    shown = whole if visible == "all" else Suite("asserts", asserts=tuple(asserts[:1]), setup=setup)
    return Task(line.id, text, {}, (_FILE,), shown, None if visible == "all" else whole)


def _human_eval(line: Line, visible: Visible) -> Task:
    stub, test, entry = line.text("prompt"), line.text("test"), line.text("entry_point")
    if not stub.strip():
        raise line.error("the prompt is empty, say what the code should do")
    if not entry.isidentifier():
        raise line.error(f"entry_point is {entry!r}, it must be the function's name")
    _must_parse(line, "prompt", stub)
    _must_parse(line, "test", test)
    setup, asserts = split_check(test, entry)
    whole = Suite("asserts", asserts=asserts, setup=setup)
    shown: Suite | None = whole
    if visible == "first":
        found = examples(stub, entry)
        shown = Suite("asserts", asserts=found) if found else None
    prompt = f"Complete the function `{entry}` in {_FILE}, as its docstring says."
    return Task(line.id, prompt, {_FILE: stub.encode()}, (_FILE,), shown, None if visible == "all" else whole)


def _must_parse(line: Line, field: str, code: str) -> None:
    try:
        tree_of(code)
    except (SyntaxError, ValueError, RecursionError) as error:
        at = f" at its line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise line.error(f"the field {field} is not Python{at} ({getattr(error, 'msg', error)})") from error

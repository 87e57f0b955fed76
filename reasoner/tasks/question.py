"""A record with a `question`: its solution is an answer, not files. GSM8K's own lines are of this form.

An answer that works its way to a line `#### 42`, as GSM8K's do, means what stands there.
"""

from reasoner.tasks.jsonl import Line
from reasoner.tasks.schema import files_of, known
from reasoner.types import Task

_KEYS = frozenset({"task_id", "question", "answer", "files", "tools"})


def read_question(line: Line) -> Task:
    """The task of a question. Raises `TaskError` with line and field."""
    known(line, "", line.record, _KEYS)
    question = line.text("question")
    if not question.strip():
        raise line.error("the question is empty, say what is asked")
    answer = line.text("answer").rpartition("####")[2].strip() if "answer" in line.record else None
    if answer == "":
        raise line.error("the answer is empty, leave the field out if there is none")
    tools = tuple(line.texts("tools")) if "tools" in line.record else None
    return Task(line.id, question, files_of(line, "files", line.record.get("files", {})), answer=answer, tools=tools)

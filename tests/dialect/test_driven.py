from dataclasses import replace

import pytest

from reasoner.completions import Completion
from reasoner.dialect.driven import Driven
from reasoner.dialect.tokenizer import ByteTokenizer
from reasoner.errors import TaskError
from reasoner.types import Report, Suite, Task, TestResult

TOKENIZER = ByteTokenizer()
TASK = Task(
    "t",
    "Add two numbers.",
    files={"add.py": b"def add(a, b):\n    pass\n"},
    editable=("add.py",),
    visible=Suite("asserts", asserts=("assert add(1, 2) == 3",), module="add"),
)


def readable(*ids: int) -> str:
    names = {i: name for name, i in TOKENIZER.controls.items()}
    return "".join(names.get(i) or chr(i) for i in ids)


def completion(text: str, *, ended: bool = False) -> Completion:
    ids = [*TOKENIZER.encode(text), *(TOKENIZER.ends if ended else ())]
    return Completion(tuple(ids), text, "stop")


@pytest.fixture
def dialect() -> Driven:
    return Driven(TOKENIZER)


def test_the_task_shows_its_words_its_files_and_its_tests_in_an_open_turn(dialect: Driven) -> None:
    text = readable(*dialect.root(TASK).ids)
    assert text.startswith("<|system|>") and "<|user|>Add two numbers." in text
    assert "`add.py`:\n```python\ndef add(a, b):" in text and "assert add(1, 2) == 3" in text
    assert "<|end|>" not in text.split("<|user|>")[1]


def test_an_attempt_opens_the_fence_and_forgets_all_but_the_lesson(dialect: Driven) -> None:
    assert readable(*dialect.attempt(TASK, "", None).ids) == "<|end|><|assistant|>```python\n"
    opening = readable(*dialect.attempt(TASK, "Mind zero.", None).ids)
    assert opening == "\n\nMind zero.<|end|><|assistant|>```python\n"


def test_an_attempt_may_begin_with_the_stubs_own_lines(dialect: Driven) -> None:
    lead = dialect.lead(TASK)
    assert lead == "def add(a, b):\n"
    assert readable(*dialect.attempt(TASK, "", None, lead).ids).endswith("```python\ndef add(a, b):\n")
    assert dialect.lead(Task("t", "x", files={"a.py": b"def f():\n    pass\n"}, editable=("a.py", "b.py"))) == ""


def test_thought_comes_before_the_fence(dialect: Driven) -> None:
    assert readable(*dialect.thinking("").ids).endswith("Then write the code.<|end|><|assistant|>")
    assert readable(*dialect.attempt(TASK, "lost", "I add them.").ids) == "\n```python\n"


def test_a_turn_that_the_core_closed_is_not_closed_twice(dialect: Driven) -> None:
    assert readable(*dialect.turns.again(completion("x")).ids) == "<|end|><|user|>"
    assert readable(*dialect.turns.again(completion("x", ended=True)).ids) == "<|user|>"


def test_the_first_failures_are_observed_and_no_more(dialect: Driven) -> None:
    tests = [TestResult(f"test_{i}", "failed", f"assert {i} == 0") for i in range(5)]
    step = dialect.observe(Report((TestResult("ok", "passed"), *tests)), completion("x"))
    assert "1 of 6 passed" in step.text and "test_1: assert 1 == 0" in step.text and "test_2" not in step.text


def test_a_suite_that_could_not_run_is_observed_with_its_reason(dialect: Driven) -> None:
    step = dialect.observe(Report(error="SyntaxError: line 3"), completion("x"))
    assert "none could run: SyntaxError: line 3" in step.text


def test_a_lesson_is_the_failing_assertion_and_the_reflection(dialect: Driven) -> None:
    report = Report((TestResult("a", "passed"), TestResult("b", "failed", "assert f(0) == 1")))
    assert dialect.lesson(report, "") == "An earlier attempt failed. assert f(0) == 1"
    assert dialect.lesson(report, " Zero matters.\n").endswith("Mind this: Zero matters.")


def test_several_files_are_asked_for_by_path_and_long_ones_as_edits(dialect: Driven) -> None:
    two = Task("t", "Do it.", files={"a.py": b"", "b.py": b""}, editable=("a.py", "b.py"))
    assert "You may change: a.py, b.py" in dialect.task_text(two) and dialect.code_stops(two) == ()
    assert "SEARCH" not in dialect.task_text(two)
    long = Task("t", "Do it.", files={"a.py": b"x = 1\n" * 2000}, editable=("a.py",))
    assert "<<<<<<< SEARCH" in dialect.task_text(long)
    assert readable(*dialect.attempt(long, "", None).ids) == "<|end|><|assistant|>"


def test_a_task_that_is_a_book_is_refused(dialect: Driven) -> None:
    with pytest.raises(TaskError, match="shorten it"):
        dialect.root(Task("t", "x" * 100_000))


def test_no_hole_yields_a_control_token(dialect: Driven) -> None:
    poison = "".join(TOKENIZER.controls)
    controls = set(TOKENIZER.controls.values())
    task = Task(
        poison,
        poison,
        files={"a.py": poison.encode(), f"{poison}.py": poison.encode()},
        editable=("a.py", f"{poison}.py"),
        visible=Suite("pytest", files={"test_a.py": poison.encode()}, targets=(poison,)),
    )
    clean = Task("t", "x", files={"a.py": b"x", "b.py": b"x"}, editable=("a.py", "b.py"), visible=Suite("asserts"))
    report = Report((TestResult(poison, "failed", poison),), error="")

    def count(ids: tuple[int, ...]) -> int:
        return sum(i in controls for i in ids)

    assert count(dialect.root(task).ids) == count(dialect.root(clean).ids)
    assert count(dialect.attempt(task, poison, None).ids) == count(dialect.attempt(clean, "x", None).ids)
    assert count(dialect.attempt(task, "", poison).ids) == 0
    assert count(dialect.thinking(poison).ids) == count(dialect.thinking("").ids)
    end = completion("x")
    assert count(dialect.observe(report, end).ids) == count(dialect.observe(Report(error=poison), end).ids) == 2
    assert count(dialect.malformed([poison], end).ids) == 2
    assert poison in dialect.lesson(report, poison)


TESTED = Suite("unittest", {"add_test.py": b"import unittest\n\n\nclass Adding(unittest.TestCase):\n    pass\n"})


@pytest.mark.parametrize("rest", ["", "unittest"])
@pytest.mark.parametrize("start", ["\nif __name__", "\nassert ", "\nclass Adding(", "\nclass Test", "\n# Example"])
def test_what_follows_a_finished_file_ends_it_and_is_no_part_of_it(dialect: Driven, start: str, rest: str) -> None:
    """The token that completes a stop may hold more than it."""
    task = Task("t", "Add.", TASK.files, TASK.editable, TESTED)
    assert start in dialect.code_stops(task)
    solution = dialect.solution(task, "def add(a, b):\n    return a + b\n" + start + rest)
    assert solution.files == {"add.py": b"def add(a, b):\n    return a + b\n"}


def test_what_the_stub_has_itself_ends_nothing(dialect: Driven) -> None:
    stub = b"class Tester:\n    pass\n\n\nif __name__ == '__main__':\n    Tester()\n"
    stops = dialect.code_stops(Task("t", "Test.", {"add.py": stub}, ("add.py",), TESTED))
    assert "\nif __name__" not in stops and "\nclass Test" not in stops and "\nassert " in stops


def test_a_file_that_tests_start_as_a_program_may_end_as_it_likes(dialect: Driven) -> None:
    suite = Suite("pytest", {"test_it.py": b"import subprocess\n"})
    for visible in (suite, None):
        assert dialect.code_stops(Task("t", "Add.", TASK.files, TASK.editable, visible)) == ("\n```",)


def test_of_a_test_longer_than_the_prompt_may_show_the_beginning_is_shown() -> None:
    task = replace(TASK, visible=Suite("asserts", asserts=("assert add(1, 2) == " + "3" * 5000,), module="add"))
    said = Driven(TOKENIZER, tests_shown=100).task_text(task)
    assert "assert add(1, 2) == 333" in said
    assert "3" * 200 not in said

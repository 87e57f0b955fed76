import ast

import pytest

from reasoner.types import Suite, Task
from reasoner.verifiers.inputs import inputs

ASSERTS = Suite("asserts", asserts=("assert area(2, [1, 2]) == 8", "assert sorted(area('ab', [])) == ['a']"))
PYTEST = """
import unittest
from word_count import count_words
WIDE = [1]

class T(unittest.TestCase):
    def test_one(self):
        self.assertEqual(count_words("a b"), {"a": 1, "b": 1})

    def test_named(self):
        text = "go  go"
        self.assertEqual(count_words(text), {"go": 2})

    def test_unknown(self):
        text = self.make()
        self.assertEqual(count_words(text), open("secret").read())
"""


def task(suite: Suite | None, path: str = "solution.py", stub: str = "") -> Task:
    return Task("t", "x", files={path: stub.encode()}, editable=(path,), visible=suite)


def pytest_task(text: str) -> Task:
    return task(Suite("pytest", files={"word_count_test.py": text.encode()}), "word_count.py")


def test_calls_come_from_the_asserts_without_what_they_expect() -> None:
    found = inputs(task(ASSERTS), 2)
    assert found.imports == ("from solution import *",) and found.names == {"area"}
    assert found.calls == ("_seen(area, 2, [1, 2])", "_seen(sorted, area('ab', []))")


def test_calls_come_from_test_files_with_their_literals_filled_in() -> None:
    found = inputs(pytest_task(PYTEST), 2)
    assert found.imports == ("from word_count import count_words",)
    assert found.calls == ("_seen(count_words, 'a b')", "_seen(count_words, 'go  go')")


def test_more_calls_are_small_changes_of_those() -> None:
    found = inputs(task(ASSERTS), 10)
    assert len(set(found.calls)) == 10
    assert all(ast.parse(call) and "area" in call for call in found.calls)
    assert found == inputs(task(ASSERTS), 10), "the same task is asked the same"


def test_a_name_that_was_given_something_else_is_not_filled_in() -> None:
    text = "from word_count import f\ndef test():\n    x = 1\n    x = input()\n    assert f(x) == 2\n"
    assert inputs(pytest_task(text)).calls == ()


@pytest.mark.parametrize(
    "text",
    ["def test(:", "(" * 5000, "", "assert True", "from elsewhere import f\nassert f(1)", "import os\nos.system('ls')"],
)
def test_tests_that_call_nothing_of_the_candidates_give_no_calls(text: str) -> None:
    assert inputs(pytest_task(text)).calls == ()


def test_calls_into_the_world_around_are_left_out() -> None:
    text = "from word_count import f\nassert f(open('/etc/passwd').read()) == 1\nassert f(eval('1')) == 2\n"
    assert inputs(pytest_task(text)).calls == ()


def test_without_tests_the_stub_says_what_there_is() -> None:
    found = inputs(task(None, stub="def area(x):\n    pass\n"))
    assert found.names == {"area"} and found.imports == ("from solution import *",) and not found.calls


def test_a_question_has_no_calls() -> None:
    assert inputs(Task("q", "?")).calls == ()

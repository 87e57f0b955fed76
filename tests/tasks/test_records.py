"""Records of JSONL files as tasks: three forms, nothing leaked, and every mistake named by its line."""

import gzip
import json
from pathlib import Path

import pytest

from reasoner.errors import TaskError
from reasoner.tasks import load, read_all, read_jsonl
from reasoner.types import Suite

MBPP_FILE = Path(__file__).parents[3] / "shared" / "data" / "mbpp.jsonl"
SECRET = "the_reference_solution"
MBPP = {
    "task_id": 7,
    "text": "Write a function to double a number.",
    "code": f"def double(x):\r\n    return {SECRET}(x)",
    "test_list": ["assert double(1) == 2", "assert double(2) == 4"],
    "test_setup_code": "root = 1",
    "challenge_test_list": [],
}
HUMAN_EVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(x):\n    """ Double it.\n    >>> double(2)\n    4\n    >>> double(0)\n    0\n    """\n',
    "entry_point": "double",
    "canonical_solution": f"    return {SECRET}(x)\n",
    "test": "\nMETADATA = {}\n\ndef check(candidate):\n    assert candidate(1) == 2, 'one'\n    assert True\n"
    "    assert all(candidate(i) == 2 * i for i in range(3))\n",
}
OWN = {
    "task_id": "greet",
    "prompt": "Write greet(name).",
    "files": {"greet.py": "def greet(name): ...\n", "logo.png": {"base64": "/wA="}},
    "editable": ["greet.py"],
    "tests": {"runner": "unittest", "files": {"greet_test.py": "import unittest\n"}, "targets": ["greet_test.py"]},
    "hidden_tests": {"runner": "asserts", "asserts": ["assert greet('A') == 'a'"], "setup": "x = 1", "module": "greet"},
}


@pytest.fixture
def file(tmp_path):
    """`file(record, ...)` is a JSONL file; a record may also be the text of its line."""

    def write(*records):
        path = tmp_path / "tasks.jsonl"
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_mbpp_shows_its_asserts_and_never_its_solution(file):
    task = load(file(MBPP))
    assert task.id == "7"
    assert task.prompt == "Write a function to double a number."
    assert (task.files, task.editable, task.hidden) == ({}, ("solution.py",), None)
    assert task.visible == Suite("asserts", asserts=tuple(MBPP["test_list"]), setup="root = 1")
    assert SECRET not in repr(task)


def test_mbpp_can_show_its_first_assert_and_grade_with_all(file):
    [task] = read_jsonl(file(MBPP), visible="first")
    assert task.visible.asserts == ("assert double(1) == 2",)
    assert task.hidden.asserts == tuple(MBPP["test_list"])
    assert "double(2)" not in repr((task.prompt, task.visible))


def test_sanitized_mbpp_is_read_too(file):
    record = {"task_id": 7, "prompt": "Double.", "test_imports": ["import math"], "test_list": ["assert f(1) == 2"]}
    assert load(file(record)).visible.setup.strip() == "import math"


def test_human_eval_becomes_a_stub_and_a_test_for_each_assert(file):
    task = load(file(HUMAN_EVAL))
    assert task.files == {"solution.py": HUMAN_EVAL["prompt"].encode()}
    assert "`double`" in task.prompt
    assert task.visible.asserts == (
        "assert double(1) == 2",
        "assert all((double(i) == 2 * i for i in range(3)))",
    )
    assert task.visible.setup == "METADATA = {}"
    assert SECRET not in repr(task)


def test_human_eval_can_show_the_examples_of_its_docstring_and_grade_with_its_tests(file):
    [task] = read_jsonl(file(HUMAN_EVAL), visible="first")
    assert task.visible.asserts == ("assert double(2) == 4", "assert double(0) == 0")
    assert len(task.hidden.asserts) == 2


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(9):\n        assert candidate(i) == 2 * i",
        "x = candidate(1)\n    assert x == 2",
        "assert (y := candidate(1)) == 2\n    assert y == 2",
        "import math\n    assert candidate(1) == 2",
        "assert True",
    ],
)
def test_a_check_that_is_not_asserts_alone_stays_one_test(file, body):
    test = f"def check(candidate):\n    {body}\n"
    task = load(file({**HUMAN_EVAL, "test": test}))
    assert task.visible == Suite("asserts", asserts=("check(double)",), setup=test)


def test_our_own_record_says_everything(file):
    task = load(file(OWN))
    assert task.files == {"greet.py": b"def greet(name): ...\n", "logo.png": b"\xff\0"}
    assert task.editable == ("greet.py",)
    assert task.visible == Suite("unittest", {"greet_test.py": b"import unittest\n"}, ("greet_test.py",))
    assert task.hidden == Suite("asserts", asserts=("assert greet('A') == 'a'",), setup="x = 1", module="greet")


@pytest.mark.parametrize(
    ("changes", "editable"),
    [({}, ("greet.py",)), ({"files": {}}, ("solution.py",)), ({"files": {}, "tests": None}, ("greet.py",))],
)
def test_what_may_change_has_a_default(file, changes, editable):
    record = {key: value for key, value in {**OWN, **changes}.items() if key != "editable"}
    assert load(file(record)).editable == editable


def test_forms_may_stand_in_one_file_gzipped_with_blank_lines(tmp_path):
    path = tmp_path / "tasks.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n\n".join(json.dumps(r).encode() for r in (MBPP, HUMAN_EVAL, OWN))))
    assert [task.id for task in read_jsonl(path)] == ["7", "HumanEval/0", "greet"]
    assert load(path, task_id="7", prompt="Other words.").prompt == "Other words."


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([MBPP, "{not json"], "line 2: not JSON .*, write one object a line"),
        ([MBPP, "[1]"], "line 2: not a JSON object"),
        (["[" * 100_000], "line 1: not JSON"),
        ([{**MBPP, "task_id": None}], "line 1: the field task_id is missing"),
        ([{**MBPP, "task_id": [1]}], r"line 1: the field task_id is \[1\]"),
        ([MBPP, OWN, {**OWN, "task_id": "7"}], "line 3: the task_id '7' is taken by line 1"),
        ([{"task_id": 1, "prompt": "x"}], "line 1: no tests found, a record needs tests"),
        ([{"task_id": 1, "test_list": ["assert 1"]}], "the field text is missing, it must be a text"),
        ([{**MBPP, "text": " "}], "the text is empty"),
        ([{**MBPP, "text": "\ud800"}], "the field text holds half a character"),
        ([{**MBPP, "test_list": []}], "no tests found, test_list is empty"),
        ([{**MBPP, "test_list": "assert 1"}], "the field test_list is not a list of texts"),
        ([{**MBPP, "test_list": ["assert ("]}], "the field test_list is not Python at its line 1"),
        ([{**MBPP, "test_setup_code": "x ="}], "the field test_setup_code is not Python"),
        ([{**HUMAN_EVAL, "prompt": "def f(:\n"}], "the field prompt is not Python at its line 1"),
        ([{**HUMAN_EVAL, "prompt": ""}], "the prompt is empty"),
        ([{**HUMAN_EVAL, "test": 1}], "the field test is not a text"),
        ([{**HUMAN_EVAL, "entry_point": "os.system"}], "entry_point is 'os.system', it must be the function's name"),
        ([{**OWN, "prompt": "\n"}], "the prompt is empty"),
        ([{**OWN, "promt": "x"}], "unknown field promt, it may hold editable"),
        ([{**OWN, "tests": {"runer": "asserts"}}], "unknown field tests.runer"),
        ([{**OWN, "tests": {"runner": "nose"}}], "tests.runner is 'nose', it must be one of pytest, unittest, asserts"),
        ([{**OWN, "tests": {"runner": "asserts"}}], "no tests found, tests has no asserts"),
        ([{**OWN, "tests": {"runner": "pytest"}}], "no tests found, tests has no files"),
        ([{**OWN, "tests": []}], "the field tests is not an object"),
        ([{**OWN, "tests": {**OWN["tests"], "targets": "x"}}], "the field tests.targets is not a list of texts"),
        ([{**OWN, "tests": {**OWN["hidden_tests"], "module": "a-b"}}], "tests.module is 'a-b'"),
        ([{**OWN, "tests": None, "hidden_tests": None}], "no tests found"),
        ([{**OWN, "files": {"../x": ""}}], "files: '../x' leads out of the workspace"),
        ([{**OWN, "files": {"/etc/passwd": ""}}], "files: '/etc/passwd' is absolute"),
        ([{**OWN, "files": {"a/../../b": ""}}], "leads out of the workspace"),
        ([{**OWN, "files": {"./a//b": ""}}], "is not written plainly, write a/b"),
        ([{**OWN, "files": {"a\nb": ""}}], "is not a usable file name"),
        ([{**OWN, "files": {"a": "", "a/b": ""}}], "a is named as a file and as a folder"),
        ([{**OWN, "files": {"a": 1}}], "files: a is neither a text nor"),
        ([{**OWN, "files": {"a": {"base64": "?"}}}], "files: a is not base64"),
        ([{**OWN, "editable": ["../x"]}], "editable: '../x' leads out of the workspace"),
        ([{**OWN, "editable": []}], "editable is empty"),
        ([{**OWN, "editable": ["greet_test.py"]}], "greet_test.py is both editable and a test's"),
        ([""], "holds no task"),
    ],
)
def test_a_record_that_cannot_be_used_is_one_sentence_with_its_line(file, records, said):
    path = file(*records)
    with pytest.raises(TaskError, match=said) as raised:
        list(read_jsonl(path)) or load(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_record_is_chosen_by_its_id_and_a_wrong_one_has_a_nearest(file):
    path = file(MBPP, HUMAN_EVAL, OWN)
    assert load(path, task_id="greet").id == "greet"
    with pytest.raises(TaskError, match="holds no task 'HumanEval/1': the nearest is 'HumanEval/0'"):
        load(path, task_id="HumanEval/1")
    with pytest.raises(TaskError, match="holds 3 tasks: choose one by its task_id, such as 7"):
        load(path)
    with pytest.raises(TaskError, match="leave the test command out"):
        load(path, task_id="7", tests="pytest")


def test_lines_that_cannot_be_used_are_told_and_the_others_are_read(file):
    long = json.dumps({"task_id": "long", "question": "?" * 2**24})
    lines = [{"task_id": 1, "question": "one?"}, "{no", {"task_id": 2}, {"task_id": 1, "question": "again?"}, long]
    path = file(*lines, {"task_id": 3, "question": "three?"})
    told = []
    assert [task.id for task in read_all(path, bad=told.append)] == ["1", "3"]
    assert [str(error).partition(": ")[0] for error in told] == [f"{path}, line {n}" for n in (2, 3, 4, 5)]


def test_a_directory_of_directories_is_read_by_name_and_one_without_tests_is_told(tmp_path):
    for name in ("b", "a", "c", ".git"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "TASK.md").write_text("f returns 1.")
        (tmp_path / name / "f.py").write_text("def f(): ...\n")
        if name != "c":
            (tmp_path / name / "f_test.py").write_text("from f import f\ndef test_f(): assert f() == 1\n")
    told = []
    assert [task.id for task in read_all(tmp_path, bad=told.append)] == ["a", "b"]
    assert [str(error) for error in told] == [
        f"no tests found in {tmp_path / 'c'}: call them test_*.py or *_test.py, or pass a test command"
    ]
    assert [task.id for task in read_all(tmp_path / "a")] == ["a"]


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"{}" * 9999)[:-20], b""])
def test_a_broken_archive_says_so(tmp_path, content):
    path = tmp_path / "tasks.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=r"cannot be read|holds no task"):
        load(path)


@pytest.mark.skipif(not MBPP_FILE.is_file(), reason="MBPP is not beside this checkout")
def test_every_problem_of_mbpp_loads_without_its_solution():
    tasks = list(read_jsonl(MBPP_FILE))
    codes = [json.loads(line)["code"].strip() for line in MBPP_FILE.read_text().splitlines()]
    assert len(tasks) == 974
    assert not any(code in repr(task) or code in task.prompt for task, code in zip(tasks, codes, strict=True))

"""Directories as tasks: what is found, what stays out, and what is said of one that cannot be used."""

import os
from pathlib import Path

import pytest

from reasoner.errors import TaskError
from reasoner.tasks import load

TASKS = Path(__file__).parents[1] / "fixtures" / "tasks"
EXERCISM = Path(__file__).parents[3] / "shared" / "data" / "exercism"
STUB = "def double(x):\n    pass\n"
TEST = "from solution import double\ndef test_double():\n    assert double(2) == 4\n"


@pytest.fixture
def folder(tmp_path):
    """`folder({...})` is a directory with a task's text, a stub and a test, changed by what is given."""

    def make(changes=None):
        files = {"TASK.md": "Double it.", "solution.py": STUB, "test_solution.py": TEST, **(changes or {})}
        for name, content in files.items():
            if content is None:
                continue
            path = tmp_path / "task" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "task"

    return make


def test_a_unittest_exercise_is_taken_as_it_is():
    task = load(TASKS / "vowel-count")
    assert task.id == "vowel-count"
    assert task.prompt.startswith("# Instructions\n\nCount the vowels")
    assert task.editable == ("vowel_count.py",)
    assert list(task.files) == ["vowel_count.py"]
    assert (task.visible.runner, task.visible.targets) == ("unittest", ("vowel_count_test.py",))
    assert list(task.visible.files) == ["vowel_count_test.py"]
    assert task.hidden is None


def test_a_pytest_project_keeps_its_support_files_with_the_tests_and_edits_only_the_stub():
    task = load(TASKS / "stack")
    assert task.visible.runner == "pytest"
    assert sorted(task.visible.files) == ["tests/conftest.py", "tests/test_stack.py"]
    assert task.visible.targets == ("tests/test_stack.py",)
    assert task.editable == ("stack.py",)
    assert sorted(task.files) == ["errors.py", "stack.py"]


def test_a_module_that_nobody_has_written_is_what_there_is_to_write_and_hidden_files_stay_out():
    task = load(TASKS / "temperature")
    assert task.editable == ("temperature.py",)
    assert dict(task.files) == {}
    assert task.prompt.index("freezes at 32") < task.prompt.index("Write `celsius")


def test_words_and_tests_can_be_given(folder):
    path = folder({"TASK.md": None, "extra_test.py": "def test_more(): pass\n"})
    task = load(path, prompt="Do it.", tests="python3 -m pytest -q 'test_solution.py::test_double'", task_id="mine")
    assert (task.id, task.prompt) == ("mine", "Do it.")
    assert task.visible.targets == ("-q", "test_solution.py::test_double")
    assert sorted(task.visible.files) == ["extra_test.py", "test_solution.py"]


@pytest.mark.parametrize(
    ("command", "runner", "targets"),
    [
        ("pytest", "pytest", ("test_solution.py",)),
        ("python -m unittest checks", "unittest", ("checks",)),
        ("/usr/bin/python3.12 -m unittest checks.T.test_a", "unittest", ("checks.T.test_a",)),
        ("pytest ./checks.py -k a", "pytest", ("./checks.py", "-k", "a")),
    ],
)
def test_a_command_names_runner_and_targets_and_its_files_belong_to_the_tests(folder, command, runner, targets):
    checks = "import unittest\nfrom solution import double\nclass T(unittest.TestCase):\n    def test_a(self): pass\n"
    task = load(folder({"checks.py": checks}), tests=command)
    assert (task.visible.runner, task.visible.targets) == (runner, targets)
    assert ("checks.py" in task.visible.files) is (command != "pytest")
    assert task.editable[0] == "solution.py"


def test_without_stubs_all_python_files_may_change_those_first_that_the_tests_import(folder):
    path = folder({"solution.py": "import aid\ndef double(x):\n    return x\n", "aid.py": "a = 1\n", "b.py": "b = 1\n"})
    assert load(path).editable == ("solution.py", "aid.py", "b.py")


def test_in_a_large_directory_only_what_the_tests_reach_may_change(folder):
    more = {f"other{i}.py": "x = 1\n" for i in range(30)}
    path = folder({"solution.py": "from aid import a\ndef double(x):\n    return x\n", "aid.py": "a = 1\n", **more})
    assert load(path).editable == ("solution.py", "aid.py")


@pytest.mark.parametrize("place", ["src/solution.py", "solution/__init__.py"])
def test_packages_and_source_folders_are_found(folder, place):
    path = folder({"solution.py": None, place: STUB})
    assert load(path).editable == (place,)


@pytest.mark.parametrize(
    ("body", "stub"),
    [
        ("pass", True),
        ("...", True),
        ('"""Words."""', True),
        ("raise NotImplementedError", True),
        ('raise NotImplementedError("later")', True),
        ("return None", False),
    ],
)
def test_what_counts_as_a_stub(folder, body, stub):
    path = folder({"solution.py": f"def double(x):\n    {body}\n", "other.py": "x = 1\n"})
    assert load(path).editable == (("solution.py",) if stub else ("solution.py", "other.py"))


def test_files_that_are_no_text_or_too_long_are_in_the_workspace_and_never_editable(folder):
    task = load(folder({"data.bin": bytes(range(256)), "long.py": "x = 1\n" * 20_000, "odd.py": b"x = '\xff'\n"}))
    assert {"data.bin", "long.py", "odd.py"} <= task.files.keys()
    assert task.editable == ("solution.py",)


def test_what_does_not_belong_stays_out(folder):
    out = (".git/config", ".env", "__pycache__/a.pyc", "node_modules/a.py", ".venv/a.py", "here/a.py", "x.egg-info/b")
    path = folder({**dict.fromkeys(out, "x = 1\n"), "here/pyvenv.cfg": ""})
    assert sorted(load(path).files) == ["solution.py"]


def test_links_that_lead_out_are_not_followed_and_pipes_are_not_opened(folder, tmp_path):
    (tmp_path / "secret.py").write_text("secret = 1\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "a.py").write_text("secret = 1\n")
    path = folder()
    (path / "leak.py").symlink_to(tmp_path / "secret.py")
    (path / "folder").symlink_to(tmp_path / "secrets")
    (path / "loop").symlink_to(path)
    (path / "lost.py").symlink_to(path / "nothing")
    (path / "same.py").symlink_to(path / "solution.py")
    os.mkfifo(path / "pipe.py")
    assert sorted(load(path).files) == ["same.py", "solution.py"]


def test_unusual_test_files_and_warnings_of_python_do_not_matter(folder):
    task = load(folder({"solution.py": 'def double(x):\n    "\\d"\n', "test_solution.py": TEST + 'x = "\\d"\n'}))
    assert task.editable == ("solution.py",)


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({"test_solution.py": None}, {}, "no tests found in .*: call them test_"),
        ({"test_solution.py": None}, {"tests": "pytest -q"}, "no tests found in .* for 'pytest -q'"),
        ({}, {"tests": "pytest test_solutoin.py"}, "test_solutoin.py is not in .*: the nearest is test_solution.py"),
        ({}, {"tests": "make test"}, "'make test' must begin with pytest or python -m unittest"),
        ({}, {"tests": ""}, "'' must begin with pytest"),
        ({}, {"tests": "pytest 'x"}, "cannot be read: No closing quotation"),
        ({"solution.py": "def double(x:\n  pass"}, {}, r"solution.py, line 1: the stub does not parse \(.*\), mend it"),
        ({"test_solution.py": "def test(:"}, {}, "test_solution.py, line 1: the test file does not parse"),
        ({"solution.py": b"x = 1\0"}, {}, "solution.py: the stub does not parse|line .*: the stub does not parse"),
        ({"TASK.md": None}, {}, "says nowhere what to do: write it in TASK.md"),
        ({"TASK.md": " \n"}, {}, "TASK.md is empty: say what the code should do"),
        ({}, {"prompt": " "}, "the task's text is empty"),
        ({"TASK.md": b"\xff"}, {}, "TASK.md is not UTF-8 text"),
        ({"TASK.md": "x" * 70_000}, {}, "TASK.md is longer than 64 KiB"),
        ({"solution.py": None, "test_solution.py": "def test_a(): pass\n"}, {}, "holds nothing to work on"),
        ({f"data/{i}": "" for i in range(2100)}, {}, "holds more than 2,000 files"),
        ({"big.bin": b"0" * (33 * 2**20)}, {}, "holds more than 2,000 files or 32 MiB"),
    ],
)
def test_a_directory_that_cannot_be_used_is_one_sentence_that_says_what_to_do(folder, changes, arguments, said):
    with pytest.raises(TaskError, match=said) as raised:
        load(folder(changes), **arguments)
    assert "\n" not in str(raised.value)


def test_a_path_that_is_not_there_says_so(tmp_path):
    with pytest.raises(TaskError, match="does not exist: give a directory"):
        load(tmp_path / "nothing")


@pytest.mark.skipif(not EXERCISM.is_dir(), reason="the exercises are not beside this checkout")
def test_every_exercise_is_one_file_to_write_and_a_unittest_suite():
    tasks = [load(path) for path in sorted(EXERCISM.iterdir())]
    assert len(tasks) == 40
    for task in tasks:
        module = task.id.replace("-", "_")
        assert task.editable == (f"{module}.py",)
        assert (task.visible.runner, task.visible.targets) == ("unittest", (f"{module}_test.py",))
        assert list(task.files) == [f"{module}.py"]

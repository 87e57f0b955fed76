"""`tools/run_tests`: what it says of honest suites."""

import os
import textwrap

import pytest

from reasoner.types import Suite

COUNT = """
import unittest
from solution import double

class T(unittest.TestCase):
    def test_good(self):
        self.assertEqual(double(2), 4)

    def test_wrong(self):
        value = double(
            5,
        )
        self.assertEqual(
            value,
            11,
        )

    def test_raises(self):
        self.assertEqual(double(None), 0)

    @unittest.skip("not today")
    def test_skipped(self):
        pass
"""
NONE_AND_NONE = "TypeError: unsupported operand type(s) for +: 'NoneType' and 'NoneType'"
DOUBLE = "def double(x):\n    return helper(x)\n\ndef helper(x):\n    return x + x\n"


def unittests(text: str, *targets: str) -> Suite:
    return Suite("unittest", files={"t_test.py": textwrap.dedent(text).encode()}, targets=targets)


def pytests(text: str, *targets: str) -> Suite:
    return Suite("pytest", files={"test_t.py": textwrap.dedent(text).encode()}, targets=targets)


def asserts(*statements: str, setup: str = "") -> Suite:
    return Suite("asserts", asserts=statements, setup=setup)


def test_unittest_reports_each_test_with_its_statement_values_and_last_own_frame(run_suite):
    ran = run_suite({"solution.py": DOUBLE}, unittests(COUNT))
    assert {t.name: t.outcome for t in ran.report.tests} == {
        "T.test_good": "passed",
        "T.test_raises": "error",
        "T.test_skipped": "skipped",
        "T.test_wrong": "failed",
    }
    by_name = {t.name: t.message for t in ran.report.tests}
    assert by_name["T.test_wrong"] == "self.assertEqual(value, 11)\nAssertionError: 10 != 11"
    assert by_name["T.test_raises"].splitlines() == [
        "self.assertEqual(double(None), 0)",
        NONE_AND_NONE,
        "solution.py:5 in helper: return x + x",
    ]
    assert by_name["T.test_skipped"] == "not today"
    assert ran.report.trust == "weak"


def test_a_failed_subtest_fails_its_test_and_the_first_one_speaks(run_suite):
    suite = unittests("""
        import unittest
        class T(unittest.TestCase):
            def test_many(self):
                for i in range(4):
                    with self.subTest(i=i):
                        self.assertEqual(i % 2, 0, f"number {i}")
            def test_fine(self):
                with self.subTest():
                    pass
    """)
    ran = run_suite({}, suite)
    assert ran.outcomes == ["passed", "failed"]
    assert "number 1" in ran.messages[1]
    assert "number 3" not in ran.messages[1]


def test_a_class_fixture_that_fails_speaks_for_all_tests_of_the_class(run_suite):
    suite = unittests("""
        import unittest
        class A(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                raise OSError("no disk")
            def test_a(self): pass
            def test_b(self): pass
        class B(unittest.TestCase):
            def test_c(self): pass
    """)
    ran = run_suite({}, suite)
    assert ran.outcomes == ["error", "error", "passed"]
    assert "no disk" in ran.messages[0]


def test_the_statement_is_the_tests_own_with_every_space_of_its_strings(run_suite):
    suite = unittests("""
        import unittest
        class T(unittest.TestCase):
            def test_a(self):
                self.same(["  x  "],
                          [" x "])
            def same(self, left, right):
                self.assertEqual(left, right)
    """)
    ran = run_suite({}, suite)
    assert ran.messages[0].startswith(
        "self.same(['  x  '], [' x '])\nAssertionError: Lists differ: ['  x  '] != [' x ']"
    )


@pytest.mark.parametrize(
    "targets",
    [("t_test.py",), ("-v", "t_test"), ("t_test.T.test_good",), ("discover", "-p", "*_test.py")],
    ids=" ".join,
)
def test_unittest_takes_its_usual_arguments(run_suite, targets):
    ran = run_suite({"solution.py": DOUBLE}, unittests(COUNT, *targets))
    assert ran.report.tests[0].name == "T.test_good"
    assert ran.report.tests[0].outcome == "passed"


def test_pytest_reports_values_skips_parameters_and_expected_failures(run_suite):
    suite = pytests("""
        import pytest
        from solution import double

        @pytest.mark.parametrize("x", [1, 2])
        def test_both(x):
            assert double(x) == 2

        def test_skip():
            pytest.skip("later")

        @pytest.mark.xfail
        def test_known():
            assert False

        @pytest.mark.xfail(strict=True)
        def test_better():
            pass

        def test_raises():
            with pytest.raises(ValueError):
                double(1)

        @pytest.fixture
        def broken():
            raise OSError("no disk")

        def test_fixture(broken):
            pass
    """)
    ran = run_suite({"solution.py": DOUBLE}, suite)
    assert {t.name.partition("::")[2]: t.outcome for t in ran.report.tests} == {
        "test_both[1]": "passed",
        "test_both[2]": "failed",
        "test_skip": "skipped",
        "test_known": "skipped",
        "test_better": "failed",
        "test_raises": "failed",
        "test_fixture": "error",
    }
    assert ran.messages[1] == "assert double(x) == 2\nAssertionError: assert 4 == 2\n+  where 4 = double(2)"
    assert "DID NOT RAISE" in next(t.message for t in ran.report.tests if "raises" in t.name)


def test_pytest_runs_chosen_tests_and_ignores_options_of_the_project(run_suite):
    suite = pytests("def test_a(): pass\ndef test_b(): pass\n", "-q", "test_t.py::test_b")
    ran = run_suite({"pytest.ini": "[pytest]\naddopts = --cov=nothing -n 8\n"}, suite)
    assert [t.name for t in ran.report.tests] == ["test_t.py::test_b"]
    assert ran.report.solved


def test_a_file_that_cannot_be_collected_fails_beside_those_that_can(run_suite):
    suite = Suite("pytest", files={"test_a.py": b"import nothing_here\n", "test_b.py": b"def test_b(): pass\n"})
    ran = run_suite({}, suite)
    assert {t.name: t.outcome for t in ran.report.tests} == {"test_a.py": "error", "test_b.py::test_b": "passed"}
    assert not ran.report.solved


def test_asserts_say_what_a_call_returned(run_suite):
    suite = asserts(
        "assert double(2) == 4",
        "assert double(2) == 5",
        "assert 5 == double(2)",
        "assert abs(double(2) - 4.5) < 0.1",
        "assert not double(2)",
        "assert double(2) in [1, 2]",
        "assert double('ab') != 'abab'",
        "assert double(None)",
        "assert missing(1) == 1",
    )
    ran = run_suite({"solution.py": DOUBLE}, suite)
    assert ran.outcomes == ["passed", *["failed"] * 6, "error", "error"]
    assert ran.messages[1:] == [
        "double(2) returned 4, expected 5",
        "double(2) returned 4, expected 5",
        "abs(double(2) - 4.5) returned 0.5, expected < 0.1",
        "double(2) returned 4, expected a false value",
        "double(2) returned 4, expected one of [1, 2]",
        "double('ab') returned 'abab', expected something other than 'abab'",
        f"{NONE_AND_NONE}\nsolution.py:5 in helper: return x + x",
        "NameError: name 'missing' is not defined",
    ]
    assert ran.report.tests[0].name == "double(2) == 4"


def test_an_assert_suite_is_trusted_unless_its_process_could_be_read(run_suite):
    ran = run_suite({"solution.py": DOUBLE}, asserts("assert double(1) == 2"))
    assert ran.report.trust == ("weak" if os.geteuid() == 0 else "strong")


PLAIN = """
import collections, datetime, decimal, fractions
from math import sqrt as _root

_hidden = 7

def same(x): return x
def sort(x): x.sort()
def grow(x, by): x.update({"new": by})
def pairs(): return collections.OrderedDict(a=(1, {2, 3}), b=[None, True, 1.5, b"x"])
def counts(): return collections.Counter("aab")
def point(): return collections.namedtuple("P", "x y")(1, 2)
def big(): return 10 ** 5000
def numbers(): return [1j, decimal.Decimal("0.1"), fractions.Fraction(1, 3), datetime.date(2020, 1, 2), range(3)]
def apply(f, x): return f(x) + 1
def count(n):
    yield from range(n)
def fail(): raise ValueError("no such thing")
"""


@pytest.mark.parametrize(
    "statement",
    [
        "assert _hidden == 7 and _root(4) == 2",
        "x = [3, 1, 2]\nsort(x)\nassert x == [1, 2, 3]",
        "x = {}\ngrow(x, by=2)\nassert x == {'new': 2}",
        "assert pairs() == {'a': (1, {2, 3}), 'b': [None, True, 1.5, b'x']}",
        "assert counts() == {'a': 2, 'b': 1} and point() == (1, 2)",
        "assert big() == 10 ** 5000",
        "assert same(10 ** 5000) == 10 ** 5000 and same(-(2 ** 64)) == -(2 ** 64)",
        "assert numbers()[1:4] == [decimal.Decimal('0.1'), fractions.Fraction(1, 3), datetime.date(2020, 1, 2)]",
        "assert apply(lambda x: x * 10, 2) == 21",
        "assert apply(len, 'abc') == 4",
        "assert list(count(3)) == [0, 1, 2] and next(count(1)) == 0",
        "try:\n    fail()\n    assert False\nexcept ValueError as error:\n    assert str(error) == 'no such thing'",
        "import math\nassert math.isnan(same(float('nan'))) and same(float('-inf')) == float('-inf')",
        "assert same('\\ud800é\\0') == '\\ud800é\\0'",
        "for i in range(20):\n    assert same(i) == i",
    ],
)
def test_values_and_calls_cross_to_the_candidate_and_back(run_suite, statement):
    ran = run_suite({"solution.py": PLAIN}, asserts(statement))
    assert ran.outcomes == ["passed"], ran.messages


def test_objects_of_the_candidate_can_be_built_and_used_by_asserts(run_suite):
    candidate = """
class Node:
    def __init__(self, value):
        self.value, self.left = value, None
    def __eq__(self, other):
        return self.value == other.value
    def __len__(self):
        return 1 + (len(self.left) if self.left else 0)
class Other(Node): pass
def depth(node):
    return 1 + depth(node.left) if node else 0
"""
    suite = asserts(
        "assert depth(root) == 2 and len(root) == 2",
        "assert root.left.value == 5",
        "assert Node(3) == Node(3) and not Node(3) == Node(4)",
        "assert Node(3) != 3",
        "assert isinstance(root, Node) and not isinstance(root, Other)",
        setup="root = Node(1)\nroot.left = Node(5)",
    )
    ran = run_suite({"solution.py": candidate}, suite)
    assert ran.outcomes == ["passed"] * 5, ran.messages


def test_objects_of_the_tests_reach_the_candidate_by_their_public_attributes(run_suite):
    candidate = "def total(tree):\n    return tree.value + sum(map(total, tree.children)) if tree else 0\n"
    setup = """
class Tree:
    def __init__(self, value, *children):
        self.value, self.children = value, list(children)
"""
    ran = run_suite({"solution.py": candidate}, asserts("assert total(Tree(1, Tree(2), Tree(3))) == 6", setup=setup))
    assert ran.outcomes == ["passed"], ran.messages


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        ("def double(x)\n    return x\n", "SyntaxError: expected ':' (solution.py:1): def double(x)"),
        ("import nothing_here\n", "solution.py:1 in <module>: import nothing_here"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(0)\n", "SystemExit: 0"),
        ("import os\nos._exit(0)\n", "ended"),
        ("while True: pass\n", "did not finish within 1 s"),
        ("x = 1\n", "double"),
    ],
    ids=["syntax", "import", "raises", "exit", "_exit", "loop", "no such name"],
)
@pytest.mark.parametrize("runner", ["unittest", "pytest", "asserts"])
def test_a_candidate_that_cannot_be_imported_is_one_useful_sentence(run_suite, runner, candidate, said):
    suite = {
        "unittest": unittests(COUNT),
        "pytest": pytests("from solution import double\ndef test_a(): assert double(1) == 2\n"),
        "asserts": asserts("assert double(1) == 2"),
    }[runner]
    ran = run_suite({"solution.py": candidate}, suite, test_s=1)
    assert ran.report.passed == 0
    assert said in (ran.report.error or ran.messages[0])
    assert str(os.getcwd()) not in ran.stdout
    assert "Traceback" not in ran.stdout
    if said != "double" or runner != "asserts":
        assert ran.report.error


@pytest.mark.parametrize("runner", ["unittest", "pytest"])
def test_a_suite_without_tests_says_so(run_suite, runner):
    ran = run_suite({}, Suite(runner, files={"test_t.py": b"x = 1\n"}))
    assert ran.report.error == "no tests were found"


def test_a_setup_that_fails_says_so(run_suite):
    ran = run_suite({"solution.py": DOUBLE}, asserts("assert 1", setup="double(None)"))
    assert ran.report.error.startswith("the setup of the tests failed\nTypeError")


def test_messages_stay_short_and_free_of_absolute_paths(run_suite):
    suite = unittests("""
        import os, unittest
        class T(unittest.TestCase):
            def test_long(self):
                self.assertEqual(list(range(1000)), [os.path.abspath("x")] * 1000)
            def test_text(self):
                raise ValueError("y" * 5000 + os.path.abspath("file.py"))
    """)
    ran = run_suite({}, suite)
    assert all(0 < len(message) <= 410 for message in ran.messages)
    assert str(os.path.sep) + "workspace" not in "".join(ran.messages)


def test_nothing_that_is_printed_reaches_the_answer(run_suite):
    candidate = "import sys\nprint('noise')\ndef f():\n    print('more', file=sys.stderr)\n    return input()\n"
    ran = run_suite({"solution.py": candidate}, asserts("assert f() == ''"))
    assert ran.outcomes == ["error"]
    assert "EOFError" in ran.messages[0]


def test_files_of_the_suite_are_put_back_over_what_a_candidate_left_there(run_suite):
    suite = unittests(COUNT)
    ran = run_suite({"solution.py": DOUBLE, "t_test.py": "import unittest\n"}, suite)
    assert ran.report.counted == 3


@pytest.mark.parametrize("there", [{}, {"t_test.py/in_its_place": ""}])
def test_files_of_the_suite_can_be_read_and_not_written(run_suite, unprivileged, there):
    spoil = "def double(x):\n    open('t_test.py').read()\n    open('t_test.py', 'w')\n"
    suite = Suite("pytest", files={"t_test.py": b"from solution import double\ndef test_a(): assert double(1) == 2\n"})
    ran = run_suite({"solution.py": spoil, **there}, suite, before=unprivileged)
    assert "PermissionError" in ran.messages[0]


def test_a_suite_file_that_leads_out_of_the_workspace_is_refused(run_suite, tmp_path):
    ran = run_suite({}, Suite("unittest", files={"../outside_test.py": b""}))
    assert "not inside the workspace" in ran.report.error
    assert not (tmp_path / "outside_test.py").exists()


def test_a_candidate_that_breaks_the_conftest_is_named_and_not_the_arguments(run_suite):
    suite = Suite(
        "pytest",
        files={"tests/conftest.py": b"from solution import double\n", "tests/test_t.py": b"def test_a(): pass\n"},
        targets=("tests/test_t.py",),
    )
    ran = run_suite({"solution.py": "x = 1\n"}, suite)
    said = "tests/conftest.py could not be imported\nfrom solution import double\nImportError"
    assert ran.report.error.startswith(said)


def test_asserts_inside_of_functions_of_the_setup_speak_for_themselves(run_suite):
    setup = "def check(f):\n    assert f(1) == 2\n    assert f(2) == 5"
    ran = run_suite({"solution.py": DOUBLE}, asserts("assert double(3) == 6", "check(double)", setup=setup))
    assert ran.outcomes == ["passed", "failed"]
    assert ran.messages[1].endswith("f(2) returned 4, expected 5")


@pytest.mark.parametrize(
    ("suite", "name"),
    [
        (
            pytests("from solution import double\ndef test_a(): pass\ndef test_b(): assert double(1) == 3\n"),
            "test_t.py::test_b",
        ),
        (
            unittests(
                """
                import unittest
                from solution import double
                class T(unittest.TestCase):
                    def test_a(self): pass
                    def test_b(self): self.assertEqual(double(1), 3)
                """
            ),
            "T.test_b",
        ),
        (asserts("assert double(1) == 2", "assert double(1) == 3"), "double(1) == 3"),
    ],
    ids=["pytest", "unittest", "asserts"],
)
def test_where_the_first_test_is_failed_the_rest_is_not_run(run_suite, suite: Suite, name: str) -> None:
    ran = run_suite({"solution.py": DOUBLE}, suite, first=(name,))
    assert ran.outcomes == ["skipped", "failed"] and ran.messages[0].startswith("not run: ")
    assert not ran.report.solved and ran.report.counted == 1
    assert [test.name for test in ran.report.failed] == [name]
    right = run_suite({"solution.py": "def double(x):\n    return x + 2 if x == 1 else x + x\n"}, suite, first=(name,))
    assert right.outcomes[-1] == "passed", "then all are run"
    assert run_suite({"solution.py": DOUBLE}, suite, first=("no such test",)).outcomes == ["passed", "failed"]


def test_a_first_test_that_hangs_is_failed(run_suite) -> None:
    suite = pytests("import time\ndef test_a(): pass\ndef test_b(): time.sleep(9)\n")
    ran = run_suite({"solution.py": ""}, suite, test_s=0.5, first=("test_t.py::test_b",))
    assert ran.outcomes == ["skipped", "timeout"]

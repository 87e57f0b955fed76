import pytest

from reasoner.verifiers.own_tests import usable


@pytest.mark.parametrize(
    "line",
    [
        "assert open('x')",
        "assert double(x) == 2",
        "import os",
        "assert (",
        "assert 1 == 1",
        "double(2)",
        "assert " + "(" * 999,
    ],
)
def test_what_is_no_test_of_the_candidate_is_left_out(line: str) -> None:
    assert usable(line, frozenset({"double"})) == []


def test_shown_tests_and_repetitions_are_left_out() -> None:
    text = "assert double(1)==2\nassert double(1) == 2, 'x'\nassert double(2) == 4\nassert sorted([double(3)]) == [6]"
    found = usable(text, frozenset({"double"}), ("assert double(2)  == 4",))
    assert found == ["assert double(1) == 2", "assert sorted([double(3)]) == [6]"]

"""The program that runs in the world, run here on code of our own."""

import random

import pytest

from reasoner.verifiers.inside import DEEPEST, canonical, probe


def asked(code: str, calls: list[str] | None = None, asserts: list[str] | None = None) -> list[str]:
    request = {"imports": [code], "calls": calls or [], "asserts": asserts or [], "each_s": 0.3, "total_s": 1.0}
    found = probe(request)
    assert not found["error"]
    return list(found["outcomes"])


def same(a: object, b: object) -> bool:
    return canonical(a, DEEPEST) == canonical(b, DEEPEST)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (True, 1),
        ({1, 2, 3}, {3, 2, 1}),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}),
        (0.1 + 0.2, 0.3),
        (object(), object()),
        (iter([1, 2]), (x for x in (1, 2))),
    ],
)
def test_values_that_are_equal_look_alike(a: object, b: object) -> None:
    assert same(a, b)


@pytest.mark.parametrize(
    ("a", "b"), [(1, 2), ([1], (1,)), ("1", 1), (None, 0), (float("nan"), 0.0), (2**60, 2**60 + 1), ([[]], [])]
)
def test_values_that_differ_do_not(a: object, b: object) -> None:
    assert not same(a, b)


def test_a_call_that_gives_nothing_back_is_known_by_what_it_did() -> None:
    code = "def up(xs): xs.sort()\ndef down(xs): xs.sort(reverse=True)\ndef same(xs): pass"
    up, down, unchanged = asked(code, ["_seen(up, [1, 2])", "_seen(down, [1, 2])", "_seen(same, [1, 2])"])
    assert up == unchanged != down


def test_every_way_to_fail_has_a_word() -> None:
    code = (
        "import sys\ndef f(x):\n    if x == 1: raise KeyError(x)\n    if x == 2: sys.exit()\n    while x == 3: pass\n"
    )
    code += "    return x"
    assert asked(code, ["f(1)", "f(2)", "f(3)"]) == ["raised KeyError", "raised SystemExit", "late"]
    assert asked(code, [], ["assert f(4) == 4", "assert f(4) == 5", "assert f(1)"]) == [
        "passed",
        "failed",
        "raised KeyError",
    ]


def test_what_is_left_when_the_time_is_over_is_not_run() -> None:
    assert asked("def f(): \n    while True: pass", ["f()"] * 6)[-2:] == ["not run"] * 2


def test_chance_is_the_same_for_every_call() -> None:
    state = random.getstate()
    first, second = asked("import random\nf = random.random", ["f()", "f()"])
    random.setstate(state)
    assert first == second


def test_a_loop_in_a_value_ends() -> None:
    knot: list[object] = []
    knot.append(knot)
    assert canonical(knot, DEEPEST).count("list[") == DEEPEST

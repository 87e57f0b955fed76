"""Formulas, compared by the real library in its own process."""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from reasoner import verifiers
from reasoner.protocols import Scene
from reasoner.tree import Node
from reasoner.types import Step, Task
from reasoner.verifiers.answers import Answers, graded, is_formula
from reasoner.verifiers.maths import Maths

WORKER = Path(verifiers.__file__).with_name("maths_worker.py")
SceneOf = Callable[..., Awaitable[Scene]]


@pytest.fixture(scope="module")
def maths() -> Iterator[Maths]:
    found = Maths.here()
    if found is None:
        pytest.skip("math-verify is not installed: pip install 'reasoner[maths]'")
    yield found
    found.close()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (r"\frac{2}{4}", r"\frac12"),
        (r"2\sqrt{2}", r"\sqrt{8}"),
        ("x^2 + 2x + 1", "(x+1)^2"),
        (r"\{1, 2\}", r"\{2,1\}"),
        ("x = 5", "5"),
        (r"$\frac{\pi}{2}$", r"\pi/2"),
    ],
)
async def test_equal_formulas_have_one_form(maths: Maths, a: str, b: str) -> None:
    first, second = await maths.form(a), await maths.form(b)
    assert first == second is not None
    assert await maths.same(a, b)


@pytest.mark.parametrize(("a", "b"), [("x + 1", "x + 2"), (r"\sqrt{2}", "1.414"), ("(1, 2)", "(2, 1)")])
async def test_different_ones_do_not(maths: Maths, a: str, b: str) -> None:
    assert await maths.form(a) != await maths.form(b)


@pytest.mark.parametrize("hostile", ["9^{9^{9^{9}}}", "x" * 10_000, "\n}{\n", "\udcff", ""])
async def test_what_takes_too_long_or_is_no_mathematics_has_no_form(maths: Maths, hostile: str) -> None:
    assert await maths.form(hostile) is None
    assert await maths.form("x + x") == "2*x", "the next one is answered"


async def test_no_answer_is_ever_run(maths: Maths, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for said in (
        f"__import__('os').system('touch {mark}')",
        f"\\text{{__import__('os').system('touch {mark}')}}",
        f"\\frac{{open('{mark}','w')}}{{2}}",
        f"\\operatorname{{eval}}(open('{mark}','w'))",
    ):
        await maths.form(said)
        await maths.same(said, said)
    assert not mark.exists()


REFUSED = [
    "eval('1 + x', {'x': 1})",
    "exec('import os')",
    "compile('().__class__', 'x', 'eval')",
    "open('/tmp/x', 'w')",
    "__import__('os').system('true')",
    "__import__('subprocess').run(['true'])",
    "__import__('socket').socket()",
]


def test_the_hook_refuses_what_reading_has_no_need_of(maths: Maths) -> None:
    """The attempts are compiled before the hook is there, as a library's own code is."""
    program = f"""
import json, socket, subprocess, sys
sys.path.insert(0, {str(WORKER.parent)!r})
import maths_worker
work = [compile(code, maths_worker.__file__, "eval") for code in {REFUSED!r}]
sys.addaudithook(maths_worker.refuse)
assert eval("Integer (2 )", {{"Integer": int}}) == 2
said = []
for code in work:
    try:
        eval(code)
        said.append("done")
    except PermissionError:
        said.append("refused")
print(json.dumps(said))
"""
    ended = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == ["refused"] * len(REFUSED)


async def test_formulas_vote_by_what_they_mean(maths: Maths, scene_of: SceneOf) -> None:
    scene = await scene_of(Task("q", "?"))
    keys = []
    for said in (r"\frac{1}{2}", "0.5", "1/2", "half of it", "half of it."):
        node = Node(-1, 0, "attempt", (Step("answer", f"Answer: {said}"),), "s0")
        verdict = await Answers(maths).judge(scene, node)
        keys.append(verdict.key if verdict else None)
    assert keys == ["1/2", "1/2", "1/2", "half of it", "half of it"]


async def test_a_reference_is_compared_by_what_it_means(maths: Maths) -> None:
    for reference, solved in ((r"\boxed{\sqrt{8}}", True), (r"\boxed{\sqrt{9}}", False)):
        report = await graded(r"2\sqrt{2}", reference, maths)
        assert report is not None and report.solved is solved
    assert await graded("4", None, maths) is None
    plain = await graded(r"2\sqrt{2}", r"\sqrt{8}")
    assert plain is not None and not plain.solved


@pytest.mark.parametrize(
    ("said", "formula"), [("42", False), ("1/2", False), ("-3.5 %", False), ("a red-hot iron", False)]
)
def test_numbers_and_words_need_no_library(said: str, formula: bool) -> None:
    assert is_formula(said) is formula


@pytest.mark.parametrize("said", [r"\frac{1}{2}", "x^2", "x = 3", "2(x+1)", "3*x", "2 + 3i"])
def test_formulas_are_seen_to_be_some(said: str) -> None:
    assert is_formula(said)


def test_the_worker_answers_line_by_line(maths: Maths) -> None:
    asked = "".join(json.dumps({"answer": text}) + "\n" for text in (r"\frac{1}{3}", ")("))
    said = subprocess.run([sys.executable, "-I", str(WORKER)], input=asked, capture_output=True, text=True, check=True)
    assert [json.loads(line)["form"] for line in said.stdout.splitlines()[1:]] == ["1/3", None]

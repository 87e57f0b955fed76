from reasoner.sandboxes.remembered import Remembered
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.types import Files, Limits, Report, Suite, TestResult


async def test_a_candidate_is_graded_once_by_each_suite() -> None:
    asked: list[tuple[Files, Suite]] = []

    def grade(candidate: Files, suite: Suite) -> Report:
        asked.append((candidate, suite))
        return Report((TestResult(str(len(asked)), "passed"),))

    sandbox = Remembered(ScriptedSandbox(grade=grade))
    one, other = Suite("asserts", asserts=("a",)), Suite("asserts", asserts=("b",))
    first = await sandbox.grade({"x.py": b"1"}, one, Limits())
    assert await sandbox.grade({"x.py": b"1"}, one, Limits()) is first
    await sandbox.grade({"x.py": b"2"}, one, Limits())
    await sandbox.grade({"x.py": b"1"}, other, Limits())
    assert len(asked) == 3

"""Answers to questions: which of them are the same, as votes and against a reference. Texts are compared, never run."""

import re
from fractions import Fraction

from reasoner.dialect.stepwise import conclusion
from reasoner.protocols import Scene
from reasoner.tree import Node
from reasoner.types import Report, TestResult, Verdict

SOURCE = "answer"
_NUMBER = re.compile(r"[-+]?\$?\s*(\d[\d,]*\.?\d*|\.\d+)(\s*/\s*\d+)?\s*%?")
_DIGITS = 60


class Answers:
    """Gives every node that holds an answer a vote for it."""

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if not scene.task.is_question or node.step("answer") is None:
            return None
        said = answer_of(node)
        return Verdict(1.0 if said else 0.0, SOURCE, said, key(said))


def answer_of(node: Node) -> str:
    step = node.step("answer")
    return conclusion(step.text) if step else ""


def compared(said: str, reference: str | None) -> Report | None:
    """A report of one test, whether what was said is the reference; None where there is no reference."""
    if reference is None:
        return None
    right = bool(said) and key(said) == key(conclusion(reference))
    return Report((TestResult("answer", "passed" if right else "failed", said),), trust="strong")


def key(answer: str) -> str:
    """Equal for answers that say the same: a number by its value, with or without unit, else the words."""
    numbers = list(_NUMBER.finditer(answer))
    if len(numbers) == 1 and len(answer) <= _DIGITS:
        digits, divisor = numbers[0][1].replace(",", ""), (numbers[0][2] or "/1").strip(" /")
        if int(divisor):
            return str(Fraction(digits) / int(divisor) * (-1 if numbers[0][0].startswith("-") else 1))
    return " ".join(re.findall(r"\w+", answer.casefold())) or answer.strip()

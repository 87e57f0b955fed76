"""Answers to questions: which of them are the same, as votes and against a reference. Texts are compared, never run.

Numbers and words are compared here. Formulas are compared by math-verify, in a process of its own.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from reasoner.dialect.stepwise import conclusion
from reasoner.protocols import Scene
from reasoner.tree import Node
from reasoner.types import Report, TestResult, Verdict
from reasoner.verifiers.maths import Maths

SOURCE = "answer"
_NUMBER = re.compile(r"[-+]?\$?\s*(\d[\d,]*\.?\d*|\.\d+)(\s*/\s*\d+)?\s*%?")
_FORMULA = re.compile(r"[\\^{}=]|\d\s*[-+*/(]|[)\d]\s*[-+*/]\s*[a-z(\d]", re.I)
_DIGITS = 60


@dataclass(frozen=True)
class Answers:
    """Gives every node that holds an answer a vote for it. With `maths`, formulas that are equal are one answer."""

    maths: Maths | None = None

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        if not scene.task.is_question or node.step("answer") is None:
            return None
        said = answer_of(node)
        form = await self.maths.form(said) if self.maths and is_formula(said) else None
        return Verdict(1.0 if said else 0.0, SOURCE, said, form or key(said))


def answer_of(node: Node) -> str:
    step = node.step("answer")
    return conclusion(step.text) if step else ""


async def graded(said: str, reference: str | None, maths: Maths | None = None) -> Report | None:
    """As `compared`, and formulas by what they mean."""
    found = compared(said, reference)
    if found is None or found.solved or not maths or not (is_formula(said) or is_formula(reference or "")):
        return found
    if not await maths.same(said, conclusion(reference or "")):
        return found
    return Report((TestResult("answer", "passed", said),), trust="strong")


def compared(said: str, reference: str | None) -> Report | None:
    """A report of one test, whether what was said is the reference; None where there is no reference."""
    if reference is None:
        return None
    right = bool(said) and key(said) == key(conclusion(reference))
    return Report((TestResult("answer", "passed" if right else "failed", said),), trust="strong")


def is_formula(answer: str) -> bool:
    """Whether more than a number or words is written there."""
    return bool(_FORMULA.search(answer)) and not _NUMBER.fullmatch(answer.strip())


def key(answer: str) -> str:
    """Equal for answers that say the same: a number by its value, with or without unit, else the words."""
    numbers = list(_NUMBER.finditer(answer))
    if len(numbers) == 1 and len(answer) <= _DIGITS:
        digits, divisor = numbers[0][1].replace(",", ""), (numbers[0][2] or "/1").strip(" /")
        if int(divisor):
            return str(Fraction(digits) / int(divisor) * (-1 if numbers[0][0].startswith("-") else 1))
    return " ".join(re.findall(r"\w+", answer.casefold())) or answer.strip()

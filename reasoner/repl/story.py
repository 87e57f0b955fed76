"""The lines that a search leaves behind: what became of each attempt, what was reflected, where it stepped back.

Both views tell the same story; the live one draws what is under way below it. Every line has passed `printable`.
"""

from dataclasses import dataclass, field
from textwrap import wrap
from typing import Literal

from reasoner.repl.board import Attempt, Board
from reasoner.repl.printable import one_line, printable, tests_passed
from reasoner.trace import Added, Dropped, Event, Opened, Redone, Stopped
from reasoner.types import NodeId

Tone = Literal["good", "bad", "quiet", "turn"]
MARKS = {"passed": "✓", "failed": "✗", "unusable": "✗", "untested": "·", "stopped": "·"}


@dataclass(frozen=True)
class Line:
    text: str
    tone: Tone


@dataclass
class Story:
    """Feed it every event after the board has seen it; it answers with the lines that are now settled."""

    board: Board
    width: int = 100
    _dropped: int = 0
    _told: set[NodeId] = field(default_factory=set)
    """Dead branches whose lesson was shown: attempts that are opened together carry the same one."""

    def __call__(self, event: Event) -> list[Line]:
        match event:
            case Opened(head) if head.expand.learnt is not None:
                return self._back(head.expand.learnt)
            case Added(node, _) if attempt := self.board.owner(node.id):
                if node.step("act"):
                    return [settled(attempt, self.width)]
                return reflected(attempt, self.width) if node.step("reflect") and not node.step("backtrack") else []
            case Dropped(reason="stopped"):
                self._dropped += 1
            case Redone(node, differs) if differs:
                return [Line(one_line(f"! {self._place(node)} came out differently: {differs}", self.width), "bad")]
            case Stopped() if self._dropped:
                return [Line(f"· {self._dropped} more under way: stopped, and charged", "quiet")]
        return []

    def _place(self, node: NodeId) -> str:
        attempt = self.board.owner(node)
        return f"the world of {f'attempt {attempt.number}' if attempt else 'the task'}, made again,"

    def _back(self, learnt: NodeId) -> list[Line]:
        if learnt in self._told:
            return []
        self._told.add(learnt)
        carried = self.board.lesson(learnt)
        words = f"↩ step back to the task, carrying: {carried}" if carried else "↩ step back to the task"
        return [Line(one_line(words, self.width), "turn")]


def reflected(attempt: Attempt, width: int) -> list[Line]:
    """What was thought of a failed attempt, in at most three lines."""
    said = printable(f"  reflects on attempt {attempt.number}: {attempt.reflection}")
    lines = wrap(said, max(20, width - 2), subsequent_indent="    ", max_lines=3, placeholder=" …")
    return [Line(line, "quiet") for line in lines]


def settled(attempt: Attempt, width: int) -> Line:
    """One line for a finished attempt, at most `width` characters."""
    tests = tests_passed(attempt.passed, attempt.counted)
    if attempt.state in ("unusable", "untested"):
        tests = "unusable" if attempt.state == "unusable" else "written, no tests"
    head = f"{MARKS[attempt.state]} {attempt.label} {attempt.tokens:>4} tokens  {tests:<11}"
    failure = one_line(attempt.failure, width - len(head) - 2)
    tone: Tone = "good" if attempt.state == "passed" else "quiet" if attempt.state == "untested" else "bad"
    return Line(f"{head}  {failure}".rstrip() if failure else head.rstrip(), tone)

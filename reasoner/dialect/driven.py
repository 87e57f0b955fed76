"""The dialect of a core that was not trained: the runtime forces the order of steps, the model fills them in.

Every node ends inside an open user's turn. A move closes that turn with its own words, opens the assistant's, lets the
core write, and opens the next user's turn with what the world said. So any move can follow any node, and going back to
an earlier node needs no repair. Everything here is pure: tasks and completions in, steps out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from reasoner.completions import Completion
from reasoner.dialect.prompts import prompt
from reasoner.dialect.solution import Solution, read_blocks, read_code
from reasoner.dialect.stub import opening
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.dialect.turns import Turns, forced
from reasoner.errors import TaskError
from reasoner.types import Report, Span, Step, StepKind, Suite, Task

_WHOLE_FILE = 8_000
"""Characters up to which a file is written anew rather than edited."""
_FENCE = "```python\n"
CLOSE = "\n```"
"""Where code in a fence is at its end."""
_STARTS = re.compile(r"\b(subprocess|runpy|os\.system|sys\.executable)\b")
_AFTERWARDS = (
    "\nif __name__",
    "\nassert ",
    "\nprint(",
    "\nimport unittest",
    "\nunittest.",
    "\ndef test_",
    "\nclass Test",
    "\n# Test",
    "\n# Example",
)


@dataclass(frozen=True)
class Driven:
    """Renders moves and parses what comes back. `shown` bounds the characters of files and tests in the prompt."""

    tokenizer: Tokenizer
    shown: int = 12_000
    tests_shown: int = 1_500
    failures_shown: int = 2
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", Turns(self.tokenizer))

    # --- the task ---

    def root(self, task: Task) -> Step:
        """The task as the first user's turn, left open.

        Raises:
            TaskError: the task's own words are longer than the prompt may be.
        """
        if len(task.prompt) > 4 * self.shown:
            raise TaskError(
                f"task {task.id}: its text has {len(task.prompt)} characters, more than the {4 * self.shown} that a "
                "prompt may have: shorten it"
            )
        words = self.task_text(task)
        return Step("task", words, (self.turns.first(words),))

    def task_text(self, task: Task) -> str:
        single = task.editable[0] if self._single(task) else ""
        words = prompt(
            "task", task=task.prompt, tests=self._tests(task.visible), shown=self._files(task), single=single
        )
        if single:
            return words
        name = "edits" if any(len(task.files.get(p, b"")) > _WHOLE_FILE for p in task.editable) else "files"
        return words + "\n\n" + prompt(name, paths=task.editable)

    def _files(self, task: Task) -> list[tuple[str, str]]:
        """The editable files first, then the rest, as far as they fit; files that are not text are never shown."""
        left = self.shown
        shown = []
        for path in [*task.editable, *sorted(set(task.files) - set(task.editable))]:
            text = _text(task.files.get(path, b""))
            if text.strip() and len(text) <= left:
                shown.append((path, text))
                left -= len(text)
        return shown

    def _tests(self, suite: Suite | None) -> str:
        if suite is None:
            return ""
        if suite.runner == "asserts":
            texts = [*([suite.setup] if suite.setup else []), *suite.asserts]
        else:
            texts = [_text(suite.files[path]) for path in sorted(suite.files) if path.endswith(".py")]
        return _cut("\n".join(_code_lines(text) for text in texts), self.tests_shown)

    def _single(self, task: Task) -> bool:
        return len(task.editable) == 1 and len(task.files.get(task.editable[0], b"")) <= _WHOLE_FILE

    # --- moves: what is forced before the core writes ---

    def thinking(self, learnt: str) -> Span:
        """Ask for a plan before the code."""
        return self.turns.answering("".join("\n\n" + t for t in (learnt, prompt("think")) if t))

    def lead(self, task: Task) -> str:
        """The stub's first lines, for an attempt to begin with; empty where there is no stub or several files."""
        return opening(_text(task.files.get(task.editable[0], b""))) if self._single(task) else ""

    def attempt(self, task: Task, learnt: str, thought: str | None, lead: str = "") -> Span:
        """Open the answer: its code fence too where there is one file, and the file's first lines. `thought` is the
        plan just written, if any."""
        fence = _FENCE + lead if self._single(task) else ""
        if thought is not None:
            return forced(self.turns.encode(("" if thought.endswith("\n") else "\n") + fence))
        return self.turns.answering("\n\n" + learnt if learnt else "", fence)

    def kept(self, act: Step, tokens: int) -> tuple[Span, Span, str]:
        """How an attempt's code began: what opened it, its first `tokens` tokens (now forced), and the text so far."""
        opening, *code = act.spans
        ids = [i for span in code for i in span.ids]
        logprobs = [p for span in code for p in span.logprobs]
        lead = act.text.removesuffix(self.tokenizer.decode(ids))
        kept = Span(tuple(ids[:tokens]), sampled=False, logprobs=tuple(logprobs[:tokens]))
        return opening, kept, lead + self.tokenizer.decode(kept.ids)

    def revise(self, task: Task, last: StepKind = "observe") -> Span:
        """Ask for the code once more, after a node whose last step is `last`."""
        fence = _FENCE if self._single(task) else ""
        return self.turns.answering(_seam(last) + prompt("revise"), fence)

    def asking(self, name: str, last: StepKind = "observe") -> Span:
        """Ask for a remark on the attempt: `reflect` or `criticise`."""
        return self.turns.answering(_seam(last) + prompt(name))

    def remarks(self) -> tuple[int, ...]:
        """Tokens that open a comment or a docstring. What needs the sign itself cannot be written without them."""
        return self.tokenizer.holding("#", '"""', "'''")

    def code_stops(self, task: Task) -> tuple[str, ...]:
        """Where a file is at its end: the fence, and what small cores go on with when the code is done, the tests once
        more or a demonstration. What the stub has itself ends nothing, nor a demonstration where tests start it."""
        return (CLOSE, *self._ends(task)) if self._single(task) else ()

    def _ends(self, task: Task) -> list[str]:
        stub = "\n" + _text(task.files.get(task.editable[0], b""))
        return [start for start in _afterwards(task.visible) if start not in stub]

    # --- what came back ---

    def solution(self, task: Task, text: str) -> Solution:
        if self._single(task):
            found = [text.find(end) for end in self._ends(task)]
            return read_code(text[: min((at for at in found if at >= 0), default=len(text))], task.editable[0])
        return read_blocks(text, task.editable, task.files)

    def observe(self, report: Report, after: Completion) -> Step:
        """What the tests said, as the next user's turn, left open."""
        words = self.observed(report)
        return Step("observe", words, (self.turns.again(after, words),))

    def observed(self, report: Report) -> str:
        """What the tests said, in words."""
        failures = report.failed[: self.failures_shown]
        return prompt("observe", error=report.error, passed=report.passed, counted=report.counted, failures=failures)

    def malformed(self, problems: Sequence[str], after: Completion) -> Step:
        words = prompt("malformed", problems=problems)
        return Step("malformed", words, (self.turns.again(after, words),))

    def lesson(self, report: Report | None, reflection: str) -> str:
        """One paragraph that a fresh attempt takes along from a dead one."""
        failed = next(iter(report.failed), None) if report else None
        failure = report.error if report and report.error else failed.message if failed else ""
        return prompt("lesson", failure=failure, reflection=reflection.strip())


def _seam(last: StepKind) -> str:
    """What parts new words from those in the user's turn; after an answer or a remark it has none yet."""
    return "" if last in ("answer", "reflect", "criticise") else "\n\n"


def _text(content: bytes) -> str:
    """Text of a file, empty when it is not text."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text else text.replace("\r\n", "\n")


def _afterwards(suite: Suite | None) -> list[str]:
    """What a file does not go on with when these tests import it: their own classes, asserts, a demonstration."""
    texts = [_text(data) for data in suite.files.values()] if suite else []
    if suite is None or any(_STARTS.search(text) for text in texts):
        return []
    classes = {f"\n{start}" for text in texts for start in re.findall(r"^class \w+\(", text, re.MULTILINE)}
    return [*_AFTERWARDS, *sorted(classes)]


def _code_lines(text: str) -> str:
    """Python code without the comment lines before its first statement."""
    lines = text.strip("\n").splitlines()
    while lines and (not lines[0].strip() or lines[0].startswith("#")):
        lines.pop(0)
    return "\n".join(lines)


def _cut(text: str, most: int) -> str:
    """Whole lines of `text`, at most `most` characters; a part of the first line where it alone is longer."""
    if len(text) <= most:
        return text
    return (text[:most].rpartition("\n")[0] or text[:most]) + "\n# ..."

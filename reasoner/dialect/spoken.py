"""The dialect of a core that owns the protocol: it says itself what each step is, by control tokens.

    <|think|> prose                  free, up to the next step or an <|end|>
    <|act|> code <|end|>             a question's Python cell or a call in JSON, a coding task's file; it is run
    <|observe|> step N … <|end|>     forced by the runtime: what came of it
    <|reflect|> prose                what went wrong, likewise
    <|backtrack|> N lesson <|end|>   go back to where step N had just been observed, 0 for the task itself
    <|answer|> text <|end|>          over

All of it is one assistant's turn. Steps are counted by what the core can see: the runtime numbers every observation of
a turn from 1 on, and after a backtrack to N the next one is N + 1 again. What comes back is taken apart by token ids,
never by text; what breaks these rules is a step of kind `malformed` and a sentence that says how. Everything is pure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from reasoner.completions import Completion
from reasoner.dialect.control import NAMES, Control, Controls, token
from reasoner.dialect.driven import CLOSE, Driven
from reasoner.dialect.solution import Solution
from reasoner.dialect.stepwise import Stepwise, call_in, outcome
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.dialect.turns import Turns, forced
from reasoner.errors import ModelError
from reasoner.types import Report, Span, Step, StepKind, Task, ToolCall, ToolResult

PROSE: frozenset[Control] = frozenset({"think", "reflect"})
"""Steps that end where the next one begins, or with the end that every other step has."""
_SAID: tuple[Control, ...] = ("think", "act", "reflect", "backtrack", "answer")
_CLOSED: tuple[Control, ...] = ("end",)
_LESSON = 240
"""Characters of a lesson."""
_TARGET = re.compile(r"\s*(?:step\s*)?(\d{1,4})(?!\d)[\s:.,-]*([^\n]*)", re.I)
_FENCED = re.compile(r"\s*```[^\n]*\n(.*?)(?:^```\s*|\Z)", re.M | re.S)


@dataclass(frozen=True)
class Opened:
    """The step that is open where a core writes on: `spans` are what stands of it already, `text` their words. Without
    a kind none is open: the core is to open one."""

    kind: Control | None = None
    spans: tuple[Span, ...] = ()
    text: str = ""
    after: Control | None = None
    """Prose that has ended just before: the same once more has no place."""

    @property
    def following(self) -> tuple[Control, ...]:
        """Which control tokens may come next: inside the step, or after one that has ended."""
        if self.kind is None:
            return tuple(name for name in _SAID if name != self.after)
        return (*(name for name in _SAID if name != self.kind), *_CLOSED) if self.kind in PROSE else _CLOSED


@dataclass(frozen=True)
class Heard:
    """What a core wrote up to where something is due. Exactly one of these: it opened the step `next`; `problem` says
    what is wrong with a malformed step; neither, and the step has ended or was cut off."""

    step: Step | None
    next: Opened | None = None
    problem: str = ""


@dataclass(frozen=True)
class Spoken:
    """Renders what is forced, and takes apart what was said. `tools` are schemas of the tools besides the interpreter.

    Raises:
        ModelError: the tokenizer does not know the control tokens.
    """

    tokenizer: Tokenizer
    tools: Sequence[Mapping[str, Any]] = ()
    turns: Turns = field(init=False)
    controls: Controls = field(init=False)
    driven: Driven = field(init=False)
    stepwise: Stepwise = field(init=False)
    _added: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        controls = Controls.of(self.tokenizer)
        if controls is None:
            missing = next(name for name in NAMES if token(name) not in self.tokenizer.controls)
            raise ModelError(f"this model knows no {token(missing)}, so it cannot speak the protocol: give an adapter")
        made = {
            "controls": controls,
            "turns": Turns(self.tokenizer),
            "driven": Driven(self.tokenizer),
            "stepwise": Stepwise(self.tokenizer, self.tools, asks="asked"),
            "_added": frozenset(self.tokenizer.controls.values()) | set(self.tokenizer.ends),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    # --- what is forced ---

    def root(self, task: Task) -> Step:
        """The task as the user's turn, and the assistant's opened. Raises `TaskError` for one that is too long."""
        asked = self.stepwise.root(task) if task.is_question else self.driven.root(task)
        return Step("task", asked.text, (*asked.spans, self.turns.answering()))

    def observe(self, number: int, words: str) -> Step:
        """What came of the step of that number."""
        text = f"step {number}\n{words}"
        return Step("observe", text, (forced([self.controls.observe, *self._encode(text), self.controls.end]),))

    def lesson(self, words: str) -> Step:
        """The one line that is kept of a branch that was given up."""
        line = one_line(words)
        return Step("reflect", line, (forced([self.controls.reflect, *self._encode(line)]),))

    def open(self, kind: Control, words: str = "") -> Opened:
        """A step that the runtime opens, and whose first words it says."""
        return Opened(kind, (forced([getattr(self.controls, kind), *self._encode(words)]),), words)

    def tests(self, report: Report) -> str:
        """What the tests say, in words."""
        return self.driven.observed(report)

    def called(self, result: ToolResult) -> str:
        """What a call says, in words."""
        return outcome(result, self.stepwise.output)

    def closing(self, ended: bool = True) -> Span:
        """The turn closed after an answer, with the next user's turn open; an answer that was not `ended` is, first."""
        after = self.turns.again(Completion((), "", "length"))
        return after if ended else forced([self.controls.end, *after.ids])

    # --- what the core says ---

    def said(self, kind: Control, body: Sequence[int], *, sampled: bool = True) -> Step:
        """A whole step as a core would say it, from the tokens of its text: how training rows are written."""
        end = () if kind in PROSE else (self.controls.end,)
        spans = (Span((getattr(self.controls, kind),), sampled), Span((*body, *end), sampled))
        return Step(cast(StepKind, kind), self.tokenizer.decode(body), spans)

    @property
    def stops(self) -> tuple[int, ...]:
        """What ends a completion: every control token, and the end of a turn."""
        return (*self.controls.ids, *self.tokenizer.ends)

    def banned(self, opened: Opened) -> tuple[int, ...]:
        """Added tokens that have no place inside a step."""
        return tuple(sorted(self._added - set(self.allowed(opened))))

    def allowed(self, opened: Opened) -> tuple[int, ...]:
        """Control tokens that have."""
        return tuple(getattr(self.controls, name) for name in opened.following)

    def act_ends(self, task: Task) -> tuple[str, ...]:
        """Texts at which an act is over though its core went on: what a core that was driven ended code with."""
        return (CLOSE,) if task.is_question else self.driven.code_stops(task)

    def hear(self, opened: Opened, completion: Completion, ends: Sequence[str] = ()) -> Heard:
        """What was written after `opened`, up to one of `stops` or wherever it was cut off. An act that came to one of
        the texts `ends` is ended in its core's place before that, after the line's end."""
        at = min((at for end in ends if (at := completion.text.find(end)) >= 0), default=-1)
        if opened.kind == "act" and completion.finish == "stop" and at >= 0:
            return Heard(self._ended(opened, completion, at + 1))
        ids, logprobs = completion.ids, completion.logprobs
        last = ids[-1] if ids and ids[-1] in self.stops else None
        name = self.controls.name(last) if last is not None else None
        body = ids[:-1] if last is not None else ids
        may = name in opened.following
        if opened.kind is None and may and not body:
            return Heard(None, self._next(cast(Control, name), logprobs))
        if problem := self._problem(opened, body, last, may):
            return Heard(self._step("malformed", opened, ids, logprobs), problem=problem)
        kind = cast(StepKind, opened.kind)
        if may and opened.kind in PROSE and name == "end":
            return Heard(self._step(kind, opened, ids, logprobs), Opened(after=opened.kind))
        if may and opened.kind in PROSE:
            step = self._step(kind, opened, body, logprobs[: len(body)])
            return Heard(step, self._next(cast(Control, name), logprobs[-1:]))
        return Heard(self._step(kind, opened, ids, logprobs))

    def _ended(self, opened: Opened, completion: Completion, size: int) -> Step:
        """A step of the tokens that lie in the first `size` characters, and its end."""
        ids = list(completion.ids)
        while ids and len(self.tokenizer.decode(ids)) > size:
            ids.pop()
        step = self._step(cast(StepKind, opened.kind), opened, ids, completion.logprobs[: len(ids)])
        return replace(step, spans=(*step.spans, forced([self.controls.end])))

    def _problem(self, opened: Opened, body: Sequence[int], last: int | None, may: bool) -> str:
        """What is wrong, in one sentence; empty when nothing is."""
        kind = opened.kind
        if kind is None:
            return f"a step begins with one of {', '.join(opened.following)}"
        if not self._added.isdisjoint(body) or (last is not None and not may):
            return f"a token that has no place in it stands in {kind}"
        if last is None and kind not in PROSE:
            return f"{kind} was not ended"
        if kind == "backtrack" and read_backtrack(opened.text + self.tokenizer.decode(body)) is None:
            return "backtrack says no number of a step"
        return ""

    def _step(self, kind: StepKind, opened: Opened, ids: Sequence[int], logprobs: Sequence[float]) -> Step:
        spans = (*opened.spans, Span(tuple(ids), sampled=True, logprobs=tuple(logprobs)))
        return Step(kind, opened.text + self.tokenizer.decode(ids), spans)

    def _next(self, kind: Control, logprobs: Sequence[float]) -> Opened:
        return Opened(kind, (Span((getattr(self.controls, kind),), sampled=True, logprobs=tuple(logprobs)),))

    # --- what it means ---

    def solution(self, task: Task, text: str) -> Solution:
        """The files that an act writes."""
        return self.driven.solution(task, _unfenced(text) if len(task.editable) == 1 else text)

    def call(self, text: str) -> ToolCall:
        """What a question's act asks to be run: a call in JSON, or else a cell."""
        asked = call_in(text) if text.lstrip().startswith("{") else None
        return asked or ToolCall("python", {"code": _unfenced(text)})

    def _encode(self, text: str) -> list[int]:
        return self.turns.encode(text)


def parse(dialect: Spoken, ids: Sequence[int], opened: Opened = Opened()) -> list[Step]:
    """Any ids as steps; together the steps hold the same ids, but for a control token at the very end that opens a step
    without a word. It never raises: what makes no sense is malformed."""
    steps: list[Step] = []
    while ids:
        at = next((at for at, i in enumerate(ids) if i in dialect.stops), len(ids) - 1)
        part, ids = tuple(ids[: at + 1]), ids[at + 1 :]
        heard = dialect.hear(opened, Completion(part, dialect.tokenizer.decode(part), "stop"))
        steps += [heard.step] if heard.step else []
        opened = heard.next or Opened()
    return steps


def lay_out(steps: Iterable[Step]) -> tuple[list[int], list[bool]]:
    """The tokens of steps, and which of them were sampled: a row of training and its mask."""
    spans = [span for step in steps for span in step.spans]
    return [i for span in spans for i in span.ids], [span.sampled for span in spans for _ in span.ids]


def read_backtrack(text: str) -> tuple[int, str] | None:
    """The number of the step to go back to, and the lesson; None where there is no number."""
    found = _TARGET.match(text)
    return (int(found[1]), one_line(found[2])) if found else None


def write_backtrack(step: int, lesson: str) -> str:
    """The text of a backtrack that says so."""
    return f"{step} {one_line(lesson)}"


def one_line(text: str) -> str:
    """The first line that has words, as far as a lesson goes."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:_LESSON].rstrip()


def numbered(steps: Iterable[Step]) -> int:
    """How many observations the turn has that the last of these steps belongs to."""
    count = 0
    for step in steps:
        count = 0 if step.kind == "task" else count + (step.kind == "observe")
    return count


def _unfenced(text: str) -> str:
    """Code without the fence that a core may put around it."""
    found = _FENCED.match(text)
    return found[1] if found else text

"""The dialect of questions: the core thinks in prose, computes in Python blocks that are run where it wrote them, and
ends with its answer. Like a notebook: a block's output follows it inside the assistant's own turn.

A node ends inside an open user's turn when it holds an answer or a remark on one, else inside the assistant's, so the
core goes on where it stopped. Tools other than the interpreter are called in Qwen's own form, parsed tolerantly.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reasoner.completions import Completion
from reasoner.dialect.prompts import prompt
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.dialect.turns import Turns, forced
from reasoner.errors import TaskError
from reasoner.types import Files, Span, Step, StepKind, Task, ToolCall, ToolResult

BEGUN = "```python\n"
ANSWER = "Answer:"
STOPS = ("\n```\n", "</tool_call>")
"""What ends a step before its turn is over: a block to run, a call."""
IN_TURN: frozenset[StepKind] = frozenset({"observe", "think"})
"""Steps after which the assistant's turn is still open."""
_REMARKED: frozenset[StepKind] = frozenset({"answer", "reflect", "criticise"})
"""Steps after which the user's turn has no words yet."""
_BLOCK = re.compile(r"^```(?:python|py)[ \t]*\n(?P<code>.*?)(?:^```|\Z)", re.M | re.S)
_CALL = re.compile(r'\{\s*"name"\s*:.*\}', re.S)
_MARKED = re.compile(r"(?:answer(?: is)?\s*:|####)[ \t]*(?P<said>[^\n]+)", re.I)
_BOXED = "\\boxed{"


@dataclass(frozen=True)
class Stepwise:
    """Renders a question and its steps. `shown` bounds the characters of files in the prompt, `output` those of what a
    tool says; `tools` are schemas of the tools besides the interpreter; `asks` is the template of the question."""

    tokenizer: Tokenizer
    tools: Sequence[Mapping[str, Any]] = ()
    shown: int = 6_000
    output: int = 2_000
    asks: str = "question"
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", Turns(self.tokenizer))

    def root(self, task: Task) -> Step:
        """The question as the first user's turn, left open.

        Raises:
            TaskError: it is longer than a prompt may be.
        """
        if len(task.prompt) > 8 * self.shown:
            raise TaskError(
                f"task {task.id}: its text has {len(task.prompt)} characters, more than the {8 * self.shown} that a "
                "prompt may have: put the long part into a file"
            )
        shown, unseen = self._files(task.files)
        words = prompt(self.asks, task=task.prompt, shown=shown, unseen=unseen, tools=self._described())
        return Step("task", words, (self.turns.first(words),))

    def said(self, words: str, files: Files, last: StepKind | None = None) -> Step:
        """What a person says in a conversation, as a user's turn that is left open: the first one, or what follows a
        node whose last step is `last`. Files are shown as those of a question are."""
        shown, unseen = self._files(files)
        text = prompt("said", words=words, shown=shown, unseen=unseen)
        if last is None:
            text = prompt("talk", words=text, tools=self._described())
            return Step("task", text, (self.turns.first(text),))
        if last in IN_TURN:
            return Step("task", text, (self.turns.again(Completion((), "", "length"), text),))
        return Step("task", text, (forced(self.turns.encode(text)),))

    def recalled(self, summary: str) -> Step:
        """The first user's turn of a conversation of which the beginning is told in short; what is said follows."""
        text = prompt("talk", words=prompt("earlier", summary=summary), tools=self._described())
        return Step("task", text, (self.turns.first(f"{text}\n\n"),))

    def opening(self, last: StepKind, words: str = "", begun: str = "") -> Span:
        """What stands between a node whose last step is `last` and what the core writes next."""
        if last in IN_TURN:
            return forced(self.turns.encode(begun))
        seam = "" if last in _REMARKED else "\n\n"
        return self.turns.answering(seam + words if words else "", begun)

    def concluding(self, said: str) -> tuple[Span, str]:
        """The words that make the core answer now, after what it said; an open block is closed first."""
        seam = "\n```\n\n" if _open(said) else "\n\n"
        return forced(self.turns.encode(f"{seam}{ANSWER}")), ANSWER

    def asking(self, name: str) -> Span:
        """Ask for a remark on the answer, after which the user's turn is empty: `reflect` or `criticise`."""
        return self.turns.answering(prompt(name))

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """The end of a call, where it is a token of its own and so no text."""
        end = self.tokenizer.controls.get("</tool_call>")
        return () if end is None else (end,)

    @property
    def fences(self) -> tuple[int, ...]:
        """What a block can begin with: a small core likes to write the one again whose output it has just seen."""
        return tuple(dict.fromkeys(self.turns.encode(text)[0] for text in ("```", BEGUN)))

    def observe(self, result: ToolResult, after: Completion) -> Step:
        """What a block printed, right below it; in a user's turn of its own if the core had ended its turn."""
        words = prompt("output", output=outcome(result, self.output))
        if after.ids and after.ids[-1] in self.tokenizer.ends:
            return Step("observe", words, (self.turns.again(after, words), self.turns.answering()))
        seam = "" if after.text.endswith("\n") else "\n"
        return Step("observe", words, (forced(self.turns.encode(f"{seam}{words}\n\n")),))

    def _files(self, files: Files) -> tuple[list[tuple[str, str]], list[str]]:
        """Texts that fit, and the names of all other files."""
        shown, unseen, left = [], [], self.shown
        for path in sorted(files):
            text = files[path].decode("utf-8", "replace")
            if "\ufffd" in text or "\0" in text or len(text) > left:
                unseen.append(path)
            else:
                shown.append((path, text))
                left -= len(text)
        return shown, unseen

    def _described(self) -> list[dict[str, str]]:
        return [
            {"name": t["name"], "description": t["description"], "parameters": json.dumps(t["parameters"])}
            for t in (schema["function"] for schema in self.tools)
        ]


def call_in(text: str, *, cut: bool = False) -> ToolCall | None:
    """What a step asks to be run: its last Python block, or a call in JSON. A block that was not closed is run too,
    unless the text was `cut` off in it."""
    blocks = [b for b in _BLOCK.finditer(text) if not cut or b[0].endswith("```")]
    if blocks and blocks[-1]["code"].strip():
        return ToolCall("python", {"code": blocks[-1]["code"]})
    found = _CALL.search(text)
    if found is None:
        return None
    try:
        said, _ = json.JSONDecoder().raw_decode(found[0])
    except (ValueError, RecursionError):
        return None
    arguments = said.get("arguments", {})
    return ToolCall(str(said["name"]), arguments) if isinstance(arguments, dict) else None


def concluded(text: str) -> bool:
    """Whether what a core said so far ends with a line that holds its answer, marked as one."""
    found = _MARKED.search(text.rstrip().rpartition("\n")[2])
    return found is not None and bool(found["said"].strip("*`$ ")) and not _open(text)


def conclusion(text: str) -> str:
    """The answer proper: after the last `Answer:` or `####`, inside the last `\\boxed{…}`, else the last line."""
    marked = list(_MARKED.finditer(text))
    said = marked[-1]["said"] if marked else ""
    if _BOXED in (said or text):
        return _boxed(said or text)
    if not said:
        said = next((line for line in reversed(text.splitlines()) if line.strip()), "")
    return said.strip().strip("*`$ ").removesuffix(".").strip()


def _open(text: str) -> bool:
    """Whether a text ends inside a fenced block."""
    return len(re.findall(r"^```", text, re.M)) % 2 == 1


def _boxed(text: str) -> str:
    """The inside of the last box, up to the brace that closes it."""
    inside = text.rpartition(_BOXED)[2]
    depth = 1
    for at, character in enumerate(inside):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if not depth:
            return inside[:at].strip()
    return inside.strip()


def outcome(result: ToolResult, most: int) -> str:
    """What a call said, in at most so many characters and a few more."""
    value = "" if result.value is None else result.value if isinstance(result.value, str) else json.dumps(result.value)
    parts = [result.output.rstrip("\n"), value, f"{result.error}: {result.detail}" if result.error else ""]
    return _middle_cut("\n".join(part for part in parts if part) or "(nothing was printed)", most)


def _middle_cut(text: str, most: int) -> str:
    """Beginning and end of a text that is too long."""
    return text if len(text) <= most else f"{text[: most // 2]}\n...\n{text[-most // 2 :]}"

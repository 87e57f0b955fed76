"""From what a model wrote to a set of files. Small models are untidy: a fence may be unclosed, a path may be in a
heading, a search block may have lost its indentation. What cannot be understood is a problem in words, for the model.

Nothing here touches a disk: contents are bytes, and only paths that the task lists as editable are ever accepted.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_FENCE = re.compile(
    r"^(?P<ticks>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)\n(?P<body>.*?)(?:^(?P=ticks)[ \t]*$|\Z)", re.M | re.S
)
_EDIT = re.compile(
    r"^<{5,9}[ \t]*SEARCH[ \t]*\n(?P<old>.*?)^={5,9}[ \t]*\n(?P<new>.*?)^>{5,9}[ \t]*REPLACE[ \t]*$", re.M | re.S
)


@dataclass(frozen=True)
class Solution:
    """The files that an attempt wrote, whole, and what could not be understood of it."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def read_code(text: str, path: str) -> Solution:
    """One file from the inside of a fence that the runtime opened; `text` ends at the closing fence, or nowhere."""
    code = re.split(r"^[ \t]*```", text, maxsplit=1, flags=re.M)[0]
    if not code.strip():
        return Solution(problems=("the code block is empty",))
    return Solution({path: (code.rstrip() + "\n").encode()})


def read_blocks(text: str, editable: Sequence[str], now: Mapping[str, bytes]) -> Solution:
    """Fenced blocks, each a whole file or search/replace edits, named by the line before the fence, the fence's own
    info string, or a comment in the first line. `now` holds the files that edits are applied to."""
    files: dict[str, bytes] = {}
    problems: list[str] = []
    end = 0
    for fence in _FENCE.finditer(text):
        heading, end = text[end : fence.start()], fence.end()
        path = _named(heading, fence["info"], fence["body"], editable)
        if path is None:
            problems.append(f"a code block names none of the files {', '.join(editable)}")
            continue
        body = fence["body"]
        if re.search(r"^<{5,9}[ \t]*SEARCH", body, re.M):
            source = files.get(path, now.get(path, b"")).decode("utf-8", "replace")
            edited, missed = apply_edits(source, body)
            files[path] = edited.encode()
            problems += [f"{path}: {problem}" for problem in missed]
        elif body.strip():
            files[path] = (body.rstrip() + "\n").encode()
    if not files and not problems:
        problems.append("there is no code block in the answer")
    return Solution(files, tuple(problems))


def apply_edits(source: str, body: str) -> tuple[str, list[str]]:
    """`source` with the search/replace edits of `body`, and one sentence for each that did not match."""
    missed = []
    edits = list(_EDIT.finditer(body))
    if not edits:
        missed.append("a SEARCH block has no ======= and >>>>>>> REPLACE after it")
    for edit in edits:
        found = _replace(source, edit["old"], edit["new"])
        if found is None:
            first = next((line for line in edit["old"].splitlines() if line.strip()), "")
            missed.append(f"the SEARCH block that begins with {first.strip()!r} matches nothing in the file")
        else:
            source = found
    return source, missed


def _replace(source: str, old: str, new: str) -> str | None:
    """The first match of `old`: exact, then with trailing blanks ignored, then shifted by a common indentation."""
    if not old.strip():
        return source.rstrip("\n") + ("\n\n" if source.strip() else "") + new
    if old in source:
        return source.replace(old, new, 1)
    lines, wanted = source.splitlines(), old.strip("\n").splitlines()
    for at in range(len(lines) - len(wanted) + 1):
        window = lines[at : at + len(wanted)]
        shift = _shift(window, wanted)
        if shift is not None:
            moved = [_indent(line, shift) for line in new.strip("\n").splitlines()] if new.strip() else []
            return "\n".join([*lines[:at], *moved, *lines[at + len(wanted) :]]) + "\n"
    return None


def _shift(window: Sequence[str], wanted: Sequence[str]) -> int | None:
    """By how many columns `wanted` must move right to equal `window`, blanks at line ends ignored; None if never."""
    shifts = set()
    for have, want in zip(window, wanted, strict=True):
        if have.strip() != want.strip():
            return None
        if have.strip():
            shifts.add((len(have) - len(have.lstrip())) - (len(want) - len(want.lstrip())))
    return shifts.pop() if len(shifts) == 1 else None


def _indent(line: str, shift: int) -> str:
    if not line.strip():
        return ""
    return " " * shift + line if shift >= 0 else line[min(-shift, len(line) - len(line.lstrip())) :]


def _named(heading: str, info: str, body: str, editable: Sequence[str]) -> str | None:
    """Which file a block is: whichever editable path stands nearest to it."""
    before = next((line for line in reversed(heading.splitlines()) if line.strip()), "")
    first = body.partition("\n")[0]
    for place in (before, info, first):
        for path in sorted(editable, key=len, reverse=True):
            if re.search(rf"(?<![\w./-]){re.escape(path)}(?![\w/-])", place):
                return path
    return editable[0] if len(editable) == 1 else None


def parses(code: bytes) -> bool:
    """Whether Python code parses; the text is never run. Deep nesting counts as not parsing."""
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True

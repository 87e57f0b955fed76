"""Runs of the visible tests that need not be made, or not whole, because how they would end is known.

A candidate that was run before, written otherwise, or that does not parse while the tests import it: running costs
seconds and a look costs milliseconds, so the look always pays. A candidate that fails the test at which most others
failed is as wrong as they are, and the rest of its run would only count how many tests it fails: worth little, so where
that is expected to take long the run ends there. The ledger shows what was saved.
"""

import ast
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from statistics import fmean

from reasoner.dialect.solution import parses
from reasoner.ledger import Cost
from reasoner.suites import report
from reasoner.tree import Node, Tree
from reasoner.types import Files, Step, Suite, Task, ToolCall, ToolResult

_DEAR_S = 1.0
"""CPU seconds that a count of failed tests is not worth."""
_SURE = frozenset({None, "raised", "protocol"})
"""How a run ended that would end so again; a limit may be hit because the machine is busy."""


@dataclass
class Known:
    """What one task's runs came to, by what the candidates mean. It is read off the tree, so a search that is resumed
    knows what it knew. `written` are the files in a step's text."""

    task: Task
    written: Callable[[str], Files]
    _seen: dict[str, Step] = field(default_factory=dict)
    _failed: Counter[str] = field(default_factory=Counter)
    """By test, the candidates that failed it."""
    _read: int = 0

    def of(self, tree: Tree, files: Files) -> Step | None:
        """The observation of an equal candidate, as it stands there; None where some file that is editable is not among
        `files`."""
        for node in tree.nodes[self._read :]:
            self._take(node)
        self._read = len(tree.nodes)
        return self._seen.get(_meaning(files)) if self._is_whole(files) else None

    def _take(self, node: Node) -> None:
        act, observed = node.step("act"), node.step("observe")
        if act and observed and observed.call and observed.result and observed.result.error in _SURE:
            files = self.written(act.text)
            if self._is_whole(files):
                meaning = _meaning(files)
                if meaning not in self._seen:
                    self._seen[meaning] = observed
                    self._failed.update({test.name for test in report(observed.result).failed})

    def _is_whole(self, files: Files) -> bool:
        return all(path in files for path in self.task.editable)

    def doubt(self, files: Files) -> ToolCall | None:
        """For a candidate that does not parse here and that the tests import: what to ask the world's own Python,
        which may be a newer one, instead of running them."""
        (path, *more) = self.task.editable
        if more or not path.endswith(".py") or not _imports(self.task.visible, path) or parses(files.get(path, b"")):
            return None
        return ToolCall("python", {"code": f"{_ASK}_ask({json.dumps(path)})\n"})

    def unparsed(self, said: ToolResult) -> ToolResult | None:
        """The answer to that as what the tests would have said; None where it does parse."""
        problem = said.output.strip()
        if said.error or not problem:
            return None
        value = {"tests": [], "error": problem, "trust": "weak"}
        return ToolResult(value=value, wall_s=said.wall_s, cpu_s=said.cpu_s)

    def first(self) -> tuple[str, ...]:
        """The test to begin with, and to end at if it is failed; none where that is not expected to save `_DEAR_S`: the
        chance that the next candidate fails it too (the mean of a Beta posterior), times what a run takes."""
        return tuple(
            name
            for name, times in self._failed.most_common(1)
            if (times + 1) / (len(self._seen) + 2) * self._usual >= _DEAR_S
        )

    def cut_short(self, result: ToolResult) -> Cost:
        """What was saved by a run that ended at its first test."""
        return Cost(saved_cpu_s=max(0.0, self._usual - result.cpu_s))

    @property
    def _usual(self) -> float:
        """CPU seconds that a run takes which is not told where to begin; 0 where there was none."""
        whole = [s.result.cpu_s for s in self._seen.values() if s.result and s.call and not s.call.arguments]
        return fmean(whole) if whole else 0.0

    def saved(self, files: Files) -> Cost:
        """What a run would have cost: what its equal's did, or those of all others on average."""
        equal = self._seen.get(_meaning(files))
        return Cost(saved_calls=1, saved_cpu_s=equal.result.cpu_s if equal and equal.result else self._usual)


_ASK = """
def _ask(path):
    try:
        with open(path, "rb") as code:
            compile(code.read(), path, "exec")
    except (SyntaxError, ValueError) as error:
        where = f"{path}:{getattr(error, 'lineno', None) or 1}"
        line = (getattr(error, "text", None) or "").strip()
        print(f"{path} does not parse\\n{type(error).__name__}: {getattr(error, 'msg', error)} ({where}): {line}")
    except (RecursionError, MemoryError):
        pass
"""


def _meaning(files: Files) -> str:
    """Equal for candidates that differ in layout, comments and docstrings alone."""
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        tree = _tree(content) if path.endswith(".py") else ""
        digest.update(path.encode("utf-8", "replace") + b"\0")
        digest.update(tree.encode("utf-8", "replace") if tree else content)
    return digest.hexdigest()


def _tree(code: bytes) -> str:
    """The syntax tree as text; empty where there is none."""
    try:
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
                node.body = [s for s in node.body if not _is_docstring(s)]
        return ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _imports(suite: Suite | None, path: str) -> bool:
    """Whether a suite imports the module that a file is."""
    if suite is None:
        return False
    name = PurePosixPath(path).stem
    if suite.runner == "asserts":
        return suite.module == name
    wanted = re.compile(rf"^\s*(?:from|import)\s+[\w.]*\b{re.escape(name)}\b".encode(), re.M)
    return any(wanted.search(text) for test, text in suite.files.items() if test.endswith(".py"))

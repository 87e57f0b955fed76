"""Runs of the visible tests that need not be made, because how they would end is known: the candidate is one that was
run before, written otherwise, or it does not parse and the tests import it.

Running costs seconds and a look costs milliseconds, so the look always pays. What is known is taken over as it was;
the ledger shows what it saved.
"""

import ast
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from statistics import fmean

from reasoner.dialect.solution import parses
from reasoner.ledger import Cost
from reasoner.tree import Node, Tree
from reasoner.types import Files, Suite, Task, ToolCall, ToolResult

_SURE = frozenset({None, "raised", "protocol"})
"""How a run ended that would end so again; a limit may be hit because the machine is busy."""


@dataclass
class Known:
    """What one task's runs came to, by what the candidates mean. It is read off the tree, so a search that is resumed
    knows what it knew. `written` are the files in a step's text."""

    task: Task
    written: Callable[[str], Files]
    _results: dict[str, ToolResult] = field(default_factory=dict)
    _read: int = 0

    def of(self, tree: Tree, files: Files) -> ToolResult | None:
        """What the run of an equal candidate came to, as it stands there; None where some file that is editable is not
        among `files`."""
        for node in tree.nodes[self._read :]:
            self._take(node)
        self._read = len(tree.nodes)
        return self._results.get(_meaning(files)) if self._is_whole(files) else None

    def _take(self, node: Node) -> None:
        act, observed = node.step("act"), node.step("observe")
        if act and observed and observed.call and observed.result and observed.result.error in _SURE:
            files = self.written(act.text)
            if self._is_whole(files):
                self._results.setdefault(_meaning(files), observed.result)

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

    def saved(self, files: Files) -> Cost:
        """What a run would have cost: what its equal's did, or those of all others on average."""
        equal = self._results.get(_meaning(files))
        ran = [equal] if equal else [*self._results.values()]
        return Cost(saved_calls=1, saved_cpu_s=fmean(r.cpu_s for r in ran) if ran else 0.0)


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

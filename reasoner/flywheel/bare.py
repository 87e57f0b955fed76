"""Which parts of Python code say nothing to Python: comments and docstrings. Small cores write two words in five there.

The code without them has the same syntax tree, so whatever is known of it stays true; where that does not hold, nothing
can go. Pure.
"""

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from itertools import accumulate

Range = tuple[int, int]
"""Characters from the first number up to the second, which is left out."""
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def remarks(code: str) -> list[Range]:
    """The parts of `code`, which ends with a line's end, that can go; in order, none next to another. Whole lines take
    the blank ones below them along."""
    if "\r" in code or "__doc__" in code:
        return []
    try:
        tree = ast.parse(code)
        found = _joined(sorted([*_comments(code), *_docstrings(code, tree)]), code)
        same = ast.dump(_undocumented(tree)) == ast.dump(ast.parse(without(code, found)))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return []
    return found if same else []


def without(code: str, cuts: Sequence[Range]) -> str:
    return "".join(code[start:end] for start, end in left(len(code), cuts))


def left(size: int, cuts: Sequence[Range]) -> list[Range]:
    """What stays of a text of that size."""
    borders = [0, *(at for cut in cuts for at in cut), size]
    return [(start, end) for start, end in zip(borders[::2], borders[1::2], strict=True) if start < end]


def _comments(code: str) -> Iterator[Range]:
    lines = code.split("\n")
    starts = _starts(lines)
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            before = lines[row - 1][:column].rstrip()
            if before:
                yield starts[row - 1] + len(before), starts[row - 1] + token.end[1]
            else:
                yield _lines(lines, starts, row, row)


def _docstrings(code: str, tree: ast.Module) -> Iterator[Range]:
    lines = code.split("\n")
    starts = _starts(lines)
    for node in ast.walk(tree):
        if (said := _docstring(node)) and said.end_lineno:
            yield _lines(lines, starts, said.lineno, said.end_lineno)


def _docstring(node: ast.AST) -> ast.Expr | None:
    """The docstring of a node whose body has more than that."""
    if not isinstance(node, _DOCUMENTED) or len(node.body) < 2:
        return None
    first = node.body[0]
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return first if is_text and isinstance(first, ast.Expr) else None


def _undocumented(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and _docstring(node):
            node.body = node.body[1:]
    return tree


def _starts(lines: Sequence[str]) -> list[int]:
    return [0, *accumulate(len(line) + 1 for line in lines)]


def _lines(lines: Sequence[str], starts: Sequence[int], first: int, last: int) -> Range:
    """Whole lines, counted from 1, and the blank ones below."""
    while last < len(lines) - 1 and not lines[last].strip():
        last += 1
    return starts[first - 1], min(starts[last], starts[-1] - 1)


def _joined(found: Sequence[Range], code: str) -> list[Range]:
    """Ranges that meet, as one; the last, where nothing follows it, with the blank lines above it."""
    joined: list[Range] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    if joined and joined[-1][1] == len(code):
        joined[-1] = min(joined[-1][0], len(code[: joined[-1][0]].rstrip()) + 1), len(code)
    return joined

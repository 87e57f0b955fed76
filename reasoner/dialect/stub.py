"""The lines with which a stub begins, up to its first empty body: what a core is made to go on from, so that it writes
that body instead of the stub once more. Stubs are parsed, never run."""

import ast


def opening(source: str) -> str:
    """Lines of `source` before the first function body that holds nothing, its docstring included.

    Empty when there is no such function, or the source does not parse.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and _empty(n)]
    if not functions:
        return ""
    body = min(functions, key=lambda f: f.lineno).body
    last = body[-1]
    if _documents(last):
        return _through(source, last.end_lineno or last.lineno)
    lines = source.splitlines()
    return _through(source, last.lineno - 1) if lines[last.lineno - 1].strip().startswith(_PLACEHOLDERS) else ""


_PLACEHOLDERS = ("pass", "...", "raise NotImplementedError")


def _empty(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A body that is a placeholder, a docstring, or both."""
    rest = function.body[1:] if _documents(function.body[0]) else function.body
    return not rest or (len(rest) == 1 and _placeholder(rest[0]))


def _documents(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _placeholder(statement: ast.stmt) -> bool:
    return ast.unparse(statement).startswith(_PLACEHOLDERS)


def _through(source: str, line: int) -> str:
    return "".join(text + "\n" for text in source.splitlines()[:line])

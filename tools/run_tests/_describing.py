"""What a reader is told of a failure: a few lines that a small model can use, with no path of this machine in them."""

import ast
import functools
import os
import traceback

from _ending import Gone, TimeLimit, Unmet

MESSAGE, STATEMENT, FRAME, LINE = 400, 160, 110, 200
"""Characters that a reader gets of a whole message, a test's statement, a frame, and one line of an exception."""


@functools.cache
def root():
    """The workspace: where this process was when it first asked. The program does so before any code of others runs,
    and not when it is imported: it may be held loaded elsewhere."""
    return os.getcwd()


def describe(error, tests):
    """The test's own statement, the exception, and the last frame in the candidate's files. `tests`: path -> source."""
    spot, frame = "", getattr(error, "where", "")
    at = error.__traceback__
    while at:
        path = inside(at.tb_frame.f_code.co_filename)
        if path in tests:
            spot = spot or statement(tests[path], at.tb_lineno)
        elif path:
            frame = show(path, at.tb_lineno, at.tb_frame.f_code.co_name)
        at = at.tb_next
    return cut("\n".join(filter(None, (spot, headline(error), frame))), MESSAGE)


def headline(error):
    """The exception's type and text, without the diffs and decoration that test frameworks add."""
    if isinstance(error, SyntaxError):
        at = f" ({inside(error.filename)}:{error.lineno}): {(error.text or '').strip()}" if error.filename else ""
        return cut(f"{type(error).__name__}: {error.msg}{at}", LINE)
    if isinstance(error, (TimeLimit, Gone, Unmet)):
        return text_of(error)
    text = "".join(traceback.format_exception_only(type(error), error)).replace(root() + os.sep, "")
    text = text.removeprefix(f"{type(error).__module__}.")
    return "\n".join(cut(line.strip(), LINE) for line in text.splitlines()[:5] if line.strip())


def text_of(error):
    """What `str` makes of an exception, empty where its own `__str__` raises."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - the candidate's own method
        return ""


def outcome_of(error):
    """An `Outcome`: `failed` when a test's claim did not hold, `error` when something else was raised."""
    if isinstance(error, TimeLimit):
        return "timeout"
    return "failed" if isinstance(error, AssertionError) or type(error).__name__ == "Failed" else "error"


def inside(path):
    """`path` relative to the workspace, None when it is elsewhere or in installed packages."""
    path = os.path.join(root(), path or os.sep)
    if not path.startswith(root() + os.sep) or "site-packages" in path or path.endswith(">"):
        return None
    return os.path.relpath(path, root())


def one_line(code):
    """Code without its line breaks; spaces inside of strings stay as they are."""
    return " ".join(line.strip() for line in code.splitlines() if line.strip())


def cut(text, size):
    """`text` in at most `size` characters: the middle goes."""
    return text if len(text) <= size else text[: size * 2 // 3] + " … " + text[3 - size // 3 :]


@functools.lru_cache(maxsize=64)
def show(path, line, function):
    """One frame in a file of the workspace."""
    try:
        with open(os.path.join(root(), path), "rb") as source:
            lines = source.read().decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return cut(f"{path}:{line} in {function}: {text}", FRAME)


def statement(source, line):
    """The innermost statement of a test file that holds `line`, on one line."""
    around = [node for node in statements(source) if node.lineno <= line <= node.end_lineno]
    text = ast.unparse(max(around, key=lambda node: (node.lineno, node.col_offset))) if around else ""
    return cut(one_line(text), STATEMENT)


@functools.lru_cache(maxsize=64)
def statements(source):
    try:
        return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    except (SyntaxError, ValueError):
        return []

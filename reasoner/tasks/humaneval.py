"""HumanEval's tests as single asserts, and the examples that a docstring shows. Parses code, runs none."""

import ast
import doctest

from reasoner.tasks.source import tree_of

_EXAMPLES = 10
_LOOSE = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
"""Expressions by which one assert could depend on another."""


def split_check(test: str, entry: str) -> tuple[str, tuple[str, ...]]:
    """(setup, asserts) of a test text that defines `check(candidate)`.

    Where the body of `check` is asserts alone, each becomes a test of its own, so a solution that is half right is
    seen to be; asserts of constants are dropped. Anything else stays as it is, and the one test is `check(entry)`.
    """
    tree = tree_of(test)
    check = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "check"), None)
    asserts = _asserts(check, entry) if check and len(check.args.args) == 1 else ()
    if not check or not asserts:
        return test, (f"check({entry})",)
    tree.body.remove(check)
    return ast.unparse(tree), asserts


def _asserts(check: ast.FunctionDef, entry: str) -> tuple[str, ...]:
    """Each assert of `check` with the function's own name, nothing when they cannot be told apart safely."""
    found = []
    for statement in check.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        if not isinstance(statement, ast.Assert) or any(isinstance(node, _LOOSE) for node in ast.walk(statement)):
            return ()
        if not isinstance(statement.test, ast.Constant):
            named = _Renamed(check.args.args[0].arg, entry).visit(statement.test)
            found.append(f"assert {ast.unparse(named)}")
    return tuple(found)


class _Renamed(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name(self.new, node.ctx), node) if node.id == self.old else node


def examples(stub: str, entry: str) -> tuple[str, ...]:
    """The `>>>` examples in the docstring of `entry`, as asserts; only those that state a literal."""
    functions = [n for n in ast.walk(tree_of(stub)) if isinstance(n, ast.FunctionDef) and n.name == entry]
    text = (ast.get_docstring(functions[-1]) or "") if functions else ""
    try:
        shown = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return ()
    said = [_stated(example.source.strip(), example.want.strip()) for example in shown]
    return tuple(text for text in said if text)[:_EXAMPLES]


def _stated(source: str, want: str) -> str:
    try:
        ast.parse(source, mode="eval")
        ast.literal_eval(want)
    except (SyntaxError, ValueError):
        return ""
    return f"assert {source} == {want}"

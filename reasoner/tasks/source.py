"""What Python source shows without being run: whether it is a stub, which modules it imports, which tests it holds."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

from reasoner.errors import TaskError


def parse(path: Path, data: bytes, what: str) -> ast.Module:
    """The syntax tree of a file. Raises `TaskError` with its line."""
    try:
        return tree_of(data)
    except SyntaxError as error:
        raise TaskError(f"{path}, line {error.lineno}: {what} does not parse ({error.msg}), mend it first") from error
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path}: {what} does not parse ({error}), mend it first") from error


def tree_of(source: str | bytes) -> ast.Module:
    """`ast.parse` without the warnings that Python has for odd escapes. Raises what it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def is_stub(tree: ast.Module) -> bool:
    """Whether most is left to write: half of the functions have no body, or there is no code at all."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    empty = [function for function in functions if all(map(_says_nothing, function.body)) and not _abstract(function)]
    return 2 * len(empty) >= len(functions) if functions else all(map(_says_nothing, tree.body))


def _says_nothing(node: ast.stmt) -> bool:
    """`pass`, `...`, a docstring, or `raise NotImplementedError`."""
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError"))):
            return True
    return False


def _abstract(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(decorator).endswith(("abstractmethod", "overload")) for decorator in function.decorator_list)


def is_unittest(tree: ast.Module) -> bool:
    """Whether unittest finds all tests of a file: test cases are there, and nothing that only pytest knows."""
    cases = any(
        isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("TestCase") for base in node.bases)
        for node in tree.body
    )
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    loose = any(isinstance(node, functions) and node.name.startswith("test") for node in tree.body)
    return cases and not loose and not any(module.split(".")[0] == "pytest" for module in imports(tree))


def imports(tree: ast.Module) -> Iterator[str]:
    """Modules in the order in which they are imported; `from a import b` gives `a`, then `a.b`, which may be one."""
    for node in sorted((n for n in ast.walk(tree) if isinstance(n, ast.stmt)), key=lambda n: n.lineno):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield module
                yield from (f"{module}.{name.name}" for name in names if name.name != "*")

"""Calls to try a candidate with: those of the visible tests and of others that are given, and small changes of them.

Pure: tests are parsed, never run, and what they expect is left out. A call is kept when everything in it is known: the
candidate's own names, plain builtins, literals, and names that were given a literal right before.
"""

import ast
import builtins
import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from zlib import crc32

from reasoner.types import Task

PLAIN = frozenset(
    {
        *("abs", "all", "any", "bool", "bytes", "dict", "enumerate", "filter", "float", "frozenset", "int", "len"),
        *("list", "map", "max", "min", "next", "range", "repr", "reversed", "round", "set", "sorted", "str", "sum"),
        *("tuple", "zip"),
    }
)
"""Builtins that touch nothing."""
_LONGEST = 2_000
"""Characters of a call."""
_TRIES = 20
"""Changes that are drawn for each one that is wanted."""


@dataclass(frozen=True)
class Inputs:
    """How a candidate's names are reached, and calls of them, as Python text."""

    imports: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    """The candidate's names that the tests call."""


def inputs(task: Task, count: int = 12, more: Sequence[str] = ()) -> Inputs:
    """At most `count` different calls, those of the visible tests first, then those of `more` asserts; none where no
    test can be read."""
    texts = _texts(task)
    trees = [tree for text in texts if (tree := _parsed(text))]
    modules = {_module(path) for path in task.editable if path.endswith(".py")}
    whole = task.visible is not None and task.visible.runner == "asserts"
    imports = [f"from {task.visible.module} import *"] if whole and task.visible else []
    if whole and task.visible and task.visible.setup:
        imports.append(task.visible.setup)
    names = set() if trees else _defined(task)
    if not trees and names:
        imports = [f"from {_module(task.editable[0])} import *"]
    for tree in trees:
        lines, known = _imported(tree, modules)
        imports += lines
        names |= known or (_foreign(tree) if whole or any("*" in line for line in lines) else set())
    trees += filter(None, [_parsed("\n".join(more))])
    found = [call for tree in trees for call in _calls(tree, names)]
    seen = {ast.unparse(call): call for call in found if len(ast.unparse(call)) <= _LONGEST}
    chance = random.Random(crc32(task.id.encode()))
    for _ in range(_TRIES * count if seen else 0):
        if len(seen) >= count:
            break
        call = _changed(chance.choice(list(seen.values())), chance)
        if call is not None and len(text := ast.unparse(call)) <= _LONGEST:
            seen.setdefault(text, call)
    calls = [_watched(call) for call in list(seen.values())[:count]]
    return Inputs(tuple(dict.fromkeys(imports)), tuple(calls), frozenset(names))


# --- what the tests say ---


def _texts(task: Task) -> list[str]:
    suite = task.visible
    if suite is None:
        return []
    if suite.runner == "asserts":
        return ["\n".join(suite.asserts)]
    return [suite.files[path].decode("utf-8", "replace") for path in sorted(suite.files) if path.endswith(".py")]


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _module(path: str) -> str:
    return ".".join(PurePosixPath(path).with_suffix("").parts).removesuffix(".__init__")


def _defined(task: Task) -> set[str]:
    """Without tests: what the first file's stub defines."""
    stub = _parsed(task.files.get(task.editable[0], b"").decode("utf-8", "replace")) if task.editable else None
    return {n.name for n in stub.body if isinstance(n, ast.FunctionDef | ast.ClassDef)} if stub else set()


def _imported(tree: ast.Module, modules: set[str]) -> tuple[list[str], set[str]]:
    """Lines that import from the candidate's modules, and the names that they bring."""
    lines, names = [], set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in modules and not node.level:
            lines.append(ast.unparse(node))
            names |= {alias.asname or alias.name for alias in node.names} - {"*"}
        elif isinstance(node, ast.Import) and any(alias.name in modules for alias in node.names):
            lines.append(ast.unparse(node))
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names if alias.name in modules}
    return lines, names


def _foreign(tree: ast.Module) -> set[str]:
    """Names that are called and come from nowhere in the tests: the candidate's."""
    own = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    own |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    own |= {a.arg for n in ast.walk(tree) if isinstance(n, ast.arguments) for a in n.args}
    own |= {
        (alias.asname or alias.name).partition(".")[0]
        for n in ast.walk(tree)
        if isinstance(n, ast.Import | ast.ImportFrom)
        for alias in n.names
    }
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return {name for name in called - own if not hasattr(builtins, name)}


def _calls(tree: ast.Module, names: set[str]) -> Iterator[ast.Call]:
    """The outermost calls whose every name is known, in the order of the text."""
    bodies: list[Sequence[ast.stmt]] = [tree.body]
    bodies += [node.body for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for body in bodies:
        given: dict[str, ast.expr] = {}
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                continue
            yield from _closed(_Filled(given).visit(copy.deepcopy(statement)), names)
            given.update(_literals(statement))


def _literals(statement: ast.stmt) -> dict[str, ast.expr]:
    """`name = literal`; a name that is given anything else is not known any more."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return {}
    target = statement.targets[0]
    if not isinstance(target, ast.Name):
        return {}
    literal = _is_literal(statement.value)
    return {target.id: statement.value if literal else ast.Name(target.id, ast.Load())}


class _Filled(ast.NodeTransformer):
    """Puts literals in the place of names."""

    def __init__(self, given: Mapping[str, ast.expr]) -> None:
        self._given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and node.id in self._given:
            return copy.deepcopy(self._given[node.id])
        return node


def _closed(node: ast.AST, names: set[str]) -> Iterator[ast.Call]:
    if isinstance(node, ast.Call):
        used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        if used & names and used <= names | PLAIN:
            yield node
            return
    for child in ast.iter_child_nodes(node):
        yield from _closed(child, names)


def _is_literal(node: ast.AST) -> bool:
    kinds = ast.Constant | ast.List | ast.Tuple | ast.Set | ast.Dict | ast.UnaryOp | ast.unaryop | ast.expr_context
    return all(isinstance(n, kinds) for n in ast.walk(node))


def _watched(call: ast.Call) -> str:
    """The call by way of `inside.seen`, which looks at the arguments of one that gives nothing back."""
    if any(isinstance(a, ast.Starred) for a in call.args):
        return ast.unparse(call)
    return ast.unparse(ast.Call(ast.Name("_seen", ast.Load()), [call.func, *call.args], call.keywords))


# --- small changes ---


def _changed(call: ast.Call, chance: random.Random) -> ast.Call | None:
    """The same call with one literal of its arguments changed; None where there is none to change."""
    changed = copy.deepcopy(call)
    places = [
        node
        for argument in [*changed.args, *(k.value for k in changed.keywords)]
        for node in ast.walk(argument)
        if isinstance(node, ast.Constant | ast.List) and _may_change(node)
    ]
    if not places:
        return None
    place = chance.choice(places)
    if isinstance(place, ast.List):
        place.elts = chance.choice([place.elts[::-1], place.elts[:-1], place.elts[:1], [*place.elts, *place.elts[-1:]]])
    else:
        place.value = _other(place.value, chance)
    return changed


def _may_change(node: ast.Constant | ast.List) -> bool:
    return bool(node.elts) if isinstance(node, ast.List) else isinstance(node.value, bool | int | float | str)


def _other(value: object, chance: random.Random) -> bool | int | float | str:
    """Near the value, so that it stays within what the task is about as a rule."""
    match value:
        case bool():
            return not value
        case int():
            return chance.choice([value + 1, value - 1, 0, 1, 2 * value] if abs(value) < 10**6 else [value - 1, 1])
        case float():
            return chance.choice([value + 1.0, value / 2, 0.0])
        case str():
            return chance.choice(
                [value[::-1], value[1:], value[: len(value) // 2], value.swapcase(), value + value[:1]]
            )
    raise AssertionError(f"{value!r} is not changed")

"""Runs assert statements against a candidate in another process and tells each test's start and end."""

import ast
import builtins
import contextlib
import importlib
import operator
import re
import sys

from _describing import cut, describe, one_line, outcome_of
from _ending import Gone, TimeLimit, Unmet
from _peer import TESTS, Remote

NAME, VALUE = 160, 100
"""Characters that a test's name, and a value in its message, may have."""
RELATIONS = {
    ast.Eq: ("", operator.eq),
    ast.NotEq: ("something other than ", operator.ne),
    ast.Lt: ("< ", operator.lt),
    ast.LtE: ("<= ", operator.le),
    ast.Gt: ("> ", operator.gt),
    ast.GtE: (">= ", operator.ge),
    ast.Is: ("", operator.is_),
    ast.IsNot: ("something other than ", operator.is_not),
    ast.In: ("one of ", lambda left, right: left in right),
    ast.NotIn: ("none of ", lambda left, right: left not in right),
}
WORDS = {kind.__name__: relation for kind, relation in RELATIONS.items()}


def run(suite, done, tell, peer):
    """Run all tests but those in `done`, until the candidate is gone."""
    tell("loading")
    match peer.receive():
        case ["failed", str(message)]:
            tell("error", f"{suite.module} could not be imported\n{message}")
            return
        case ["names", dict(names)]:
            texts = [suite.setup, *suite.asserts]
            words = set(re.findall(r"\w+", " ".join(texts)))
            peer.trusting = True
            namespace = {name: peer.decode(value) for name, value in names.items() if name in words}
            peer.trusting = False
            take_back(namespace, texts)
    claims = Claims()
    namespace |= {"__name__": TESTS, "__claim__": claims.check}
    try:
        execute(suite.setup, namespace, claims)
    except BaseException as error:  # noqa: BLE001 - the setup calls the candidate
        tell("error", f"the setup of the tests failed\n{describe(error, {})}")
        return
    tests = named(suite.asserts)
    tell("collected", list(tests))
    for name in sorted(tests, key=suite.later):
        if name not in done:
            text = tests[name]
            tell("start", name)
            error = attempt(text, namespace, claims)
            if peer.watch.over:
                error = TimeLimit(peer.watch.over)
            enough = tell("end", name, *((outcome_of(error), describe(error, {})) if error else ("passed", "")))
            if enough or isinstance(error, Gone) or peer.watch.over:
                return


def take_back(namespace, texts):
    """Names that tests know from Python itself mean what Python means, whatever the candidate has under them: its own
    `set` or `abs` could make any claim hold. Unless the tests ask for nothing else of it: then the task was to write a
    `sum`."""
    python = {name for name in namespace if hasattr(builtins, name) or name in sys.stdlib_module_names}
    if not python:
        return
    used = set()
    for text in texts:
        with contextlib.suppress(SyntaxError, ValueError):
            used |= {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    known = used & python
    if used & namespace.keys() == known:
        return
    for name in known:
        if hasattr(builtins, name):
            del namespace[name]
        elif isinstance(namespace[name], Remote):
            namespace[name] = importlib.import_module(name)


def named(asserts):
    """A name for each statement: its own text, with a number where it would be said twice."""
    tests = {}
    for text in asserts:
        name = cut(one_line(text).removeprefix("assert "), NAME)
        tests[name if name not in tests else f"{name} #{len(tests) + 1}"] = text
    return tests


def attempt(text, namespace, claims):
    try:
        execute(text, namespace, claims)
    except BaseException as error:  # noqa: BLE001 - whatever a test raises is its outcome
        return error
    return None


def execute(text, namespace, claims):
    tree = ast.fix_missing_locations(claims.visit(ast.parse(text, "<tests>")))
    exec(compile(tree, "<tests>", "exec"), namespace)


class Claims(ast.NodeTransformer):
    """Turns `assert left == right` into a claim that can say what the left side came to. `left`: what the claims, by
    their numbers, are about."""

    def __init__(self):
        self.left = []

    def check(self, number, kind, left, right):
        """Raise `Unmet` where `left` does not stand in the relation `kind` to `right`."""
        if why := unmet(kind, left, right):
            about, verb = self.left[number]
            raise Unmet(f"{cut(ast.unparse(about), NAME)} {verb} {shown(left)}, expected {why}")

    def visit_Assert(self, node):
        match node.test:
            case ast.Compare(left=left, ops=[relation], comparators=[right]):
                if isinstance(relation, ast.Eq) and isinstance(right, ast.Call) and not isinstance(left, ast.Call):
                    left, right = right, left
                claimed = (type(relation).__name__, left, right)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                claimed = ("Not", operand, ast.Constant(None))
            case truth:
                claimed = ("", truth, ast.Constant(None))
        kind, left, right = claimed
        verb = "returned" if isinstance(left, ast.Call) else "is"
        self.left.append((left, verb))
        said = ast.Constant(len(self.left) - 1)
        call = ast.Call(ast.Name("__claim__", ast.Load()), [said, ast.Constant(kind), left, right], [])
        return ast.copy_location(ast.Expr(call), node)


def unmet(kind, left, right):
    """What was expected of `left`, where it does not stand in the relation `kind` to `right`; else nothing."""
    if kind in WORDS:
        words, holds = WORDS[kind]
        return "" if holds(left, right) else f"{words}{shown(right)}"
    if bool(left) is (kind == "Not"):
        return f"{'a false' if kind == 'Not' else 'a true'} value"
    return ""


def shown(value):
    try:
        return cut(repr(value), VALUE)
    except ValueError:  # an int with more digits than Python writes
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else "a value with very large numbers"

"""Run the text of one cell as a notebook does: statements, then the value of a last expression. Data comes back.

Everything that happens here happens in the interpreter of hostile code, under the limits of its call.
"""

import _ast
import _signal
import linecache
import sys
import traceback

_FRAMES = 3
_DETAIL = 4000
_REMEMBERED = 1000
"""Cells and files whose lines can be shown in a traceback; older ones are named only."""


class Expired(BaseException):
    """The soft deadline has passed. Not an Exception, so that ordinary handlers let it through."""


def execute(source, namespace, name, seconds, value_limit):
    """Run `source` in `namespace`; {"error", "value", "detail"} with the words of a tool result."""
    if len(linecache.cache) >= _REMEMBERED:
        del linecache.cache[next(iter(linecache.cache))]
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    before = _signal.signal(_signal.SIGALRM, _expire)
    _signal.setitimer(_signal.ITIMER_REAL, seconds)
    try:
        return _outcome(source, namespace, name, value_limit)
    except Expired:  # it struck while an error was being put into words
        return {"error": "timeout", "value": None, "detail": f"the cell did not end in {seconds:g} s"}
    finally:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        _signal.signal(_signal.SIGALRM, before)


def _outcome(source, namespace, name, value_limit):
    try:
        value = _evaluate(source, namespace, name)
        text = None if value is None else repr(value)[:value_limit]
        if value is not None:
            namespace["_"] = value
        return {"error": None, "value": text, "detail": ""}
    except Expired as error:
        return {
            "error": "timeout",
            "value": None,
            "detail": "the cell did not end in time; it was here:\n" + _tell(error),
        }
    except MemoryError as error:
        return {"error": "memory", "value": None, "detail": _tell(error)}
    except BaseException as error:  # noqa: BLE001 - whatever hostile code raises is its result
        return {"error": "raised", "value": None, "detail": _tell(error)}


def _evaluate(source, namespace, name):
    tree = compile(source, name, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
    exec(compile(tree, name, "exec", dont_inherit=True), namespace)
    if last is None:
        return None
    return eval(compile(_ast.Expression(last.value), name, "eval", dont_inherit=True), namespace)


def _tell(error):
    """The exception line with the last frames that are not ours."""
    told = traceback.TracebackException(type(error), error, error.__traceback__, limit=-_FRAMES - 3, compact=True)
    told.stack = traceback.StackSummary.from_list([f for f in told.stack if f.filename != __file__][-_FRAMES:])
    if isinstance(error, Expired):
        return "".join(told.stack.format())[-_DETAIL:]
    return "".join(told.format(chain=False))[-_DETAIL:]


def _expire(number, frame):
    raise Expired


def flush():
    """Hand on what the code has printed, whatever it has done to its streams."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001 - the stream may be an object of theirs
            continue

"""Our own record of a task, as docs/tasks.md describes it. An unknown key is an error, so a misspelt one is noticed."""

import base64
import binascii
from typing import Any, get_args

from reasoner.tasks.jsonl import Line
from reasoner.tasks.paths import clash, problem_with
from reasoner.types import Files, Runner, Suite, Task

_KEYS = frozenset({"task_id", "prompt", "files", "editable", "tests", "hidden_tests"})
_SUITE_KEYS = frozenset({"runner", "files", "targets", "asserts", "setup", "module"})


def read_own(line: Line) -> Task:
    """The task of a record in our own schema. Raises `TaskError` with line and field."""
    known(line, "", line.record, _KEYS)
    prompt = line.text("prompt")
    if not prompt.strip():
        raise line.error("the prompt is empty, say what the code should do")
    files = files_of(line, "files", line.record.get("files", {}))
    suites = [_suite(line, field) for field in ("tests", "hidden_tests")]
    visible, hidden = suites
    if not visible and not hidden:
        raise line.error("no tests found, give it tests or hidden_tests")
    editable = _editable(line, files, visible or hidden)
    taken = {path for suite in suites if suite for path in suite.files}
    if both := sorted(taken.intersection(editable)):
        raise line.error(f"the file {both[0]} is both editable and a test's, take it out of one of them")
    if between := clash([*files, *editable, *taken]):
        raise line.error(f"{between} is named as a file and as a folder")
    return Task(line.id, prompt, files, editable, visible, hidden)


def _editable(line: Line, files: Files, suite: Suite | None) -> tuple[str, ...]:
    """As given; else the Python files, or the module that the asserts use."""
    if "editable" not in line.record:
        own = tuple(path for path in files if path.endswith(".py"))
        return own or (f"{(suite or Suite('asserts')).module.replace('.', '/')}.py",)
    paths = line.texts("editable")
    for path in paths:
        if problem := problem_with(path):
            raise line.error(f"editable: {path!r} {problem}")
    if not paths:
        raise line.error("editable is empty, name the files of which a solution consists")
    return tuple(paths)


def _suite(line: Line, field: str) -> Suite | None:
    value = line.record.get(field)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise line.error(f"the field {field} is not an object")
    known(line, f"{field}.", value, _SUITE_KEYS)
    runner = next((known for known in get_args(Runner) if known == value.get("runner")), None)
    if runner is None:
        raise line.error(f"{field}.runner is {value.get('runner')!r}, it must be one of {', '.join(get_args(Runner))}")
    inner = Line(line.path, line.number, {f"{field}.{key}": item for key, item in value.items()})
    targets, asserts = (tuple(inner.texts(f"{field}.{key}")) if key in value else () for key in ("targets", "asserts"))
    files = files_of(line, f"{field}.files", value.get("files", {}))
    if not (asserts if runner == "asserts" else files or targets):
        raise line.error(f"no tests found, {field} has no {'asserts' if runner == 'asserts' else 'files'}")
    setup = inner.text(f"{field}.setup", default="")
    module = inner.text(f"{field}.module", default="solution")
    if not all(part.isidentifier() for part in module.split(".")):
        raise line.error(f"{field}.module is {module!r}, it must be the name of a module")
    return Suite(runner, files, targets, asserts, setup, module)


def files_of(line: Line, field: str, value: Any) -> dict[str, bytes]:
    if not isinstance(value, dict):
        raise line.error(f"the field {field} is not an object of paths and contents")
    for path in value:
        if problem := problem_with(path):
            raise line.error(f"{field}: {path!r} {problem}")
    return {path: _content(line, f"{field}: {path}", content) for path, content in value.items()}


def _content(line: Line, name: str, content: Any) -> bytes:
    """A text, or {"base64": text} for bytes that are none."""
    if isinstance(content, dict) and content.keys() == {"base64"} and isinstance(content["base64"], str):
        try:
            return base64.b64decode(content["base64"], validate=True)
        except binascii.Error as error:
            raise line.error(f"{name} is not base64 ({error})") from error
    if not isinstance(content, str):
        raise line.error(f'{name} is neither a text nor {{"base64": text}}')
    try:
        return content.encode()
    except UnicodeEncodeError as error:
        raise line.error(f'{name} holds half a character, write it as {{"base64": text}}') from error


def known(line: Line, prefix: str, table: dict[str, Any], keys: frozenset[str]) -> None:
    if unknown := sorted(table.keys() - keys):
        raise line.error(f"unknown field {prefix}{unknown[0]}, it may hold {', '.join(sorted(keys))}")

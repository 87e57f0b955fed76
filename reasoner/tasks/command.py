"""A test command as people write it, taken apart: `pytest -q tests/test_x.py`, `python -m unittest foo_test`."""

import re
import shlex

from reasoner.errors import TaskError
from reasoner.types import Runner

_RUNNERS: dict[str, Runner] = {"pytest": "pytest", "py.test": "pytest", "unittest": "unittest"}
_PYTHON = re.compile(r"(.*/)?python[\d.]*")


def read_command(command: str) -> tuple[Runner, tuple[str, ...]]:
    """The runner and its arguments. Raises `TaskError` for any other program."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise TaskError(f"the test command {command!r} cannot be read: {error}") from error
    if len(words) > 2 and _PYTHON.fullmatch(words[0]) and words[1] == "-m":
        words = words[2:]
    runner = _RUNNERS.get(words[0]) if words else None
    if runner is None:
        raise TaskError(f"the test command {command!r} must begin with pytest or python -m unittest")
    return runner, tuple(words[1:])

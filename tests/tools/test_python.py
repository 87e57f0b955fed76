"""`tools/python` by hand."""

import json
import subprocess
import sys

import pytest

from reasoner.content import content_dir

PROGRAM = content_dir("tools") / "python" / "run.py"


@pytest.mark.parametrize(
    ("code", "printed"),
    [("x = 2\nprint('hi')\nx * 21", "hi\n42\n"), ("x = 1", ""), ("None", ""), ("", ""), ("'text'", "'text'\n")],
)
def test_code_runs_once_and_the_last_value_is_shown(code, printed):
    done = subprocess.run(
        [sys.executable, "-I", PROGRAM], input=json.dumps({"code": code}), capture_output=True, text=True, check=True
    )
    assert done.stdout == printed

"""Tools as folders: a manifest and a program."""

import subprocess
import sys

import pytest

from reasoner.content import content_dir, load_tool
from reasoner.errors import ToolError
from reasoner.types import Limits

MANIFEST = """
name = "greet"
description = "Say hello."
state = "files"
[limits]
wall_s = 3
[parameters]
type = "object"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tool.toml").write_text(MANIFEST)
    (tmp_path / "run.py").write_text("print('hello')\n")
    return tmp_path


def test_a_tool_is_its_manifest_and_its_program(folder):
    tool = load_tool(folder)
    assert (tool.name, tool.description, tool.state) == ("greet", "Say hello.", "files")
    assert tool.limits == Limits(wall_s=3)
    assert tool.parameters == {"type": "object"}
    assert tool.program == b"print('hello')\n"


def test_a_program_of_several_modules_travels_as_one_file_that_python_runs(folder, tmp_path):
    (folder / "run.py").write_text("from _other import word\nprint(word)\n")
    (folder / "_other.py").write_text("word = 'together'\n")
    program = tmp_path / "elsewhere"
    program.write_bytes(load_tool(folder).program)
    done = subprocess.run([sys.executable, "-I", program], capture_output=True, text=True, cwd="/", check=True)
    assert done.stdout == "together\n"
    assert load_tool(folder).program == program.read_bytes()


@pytest.mark.parametrize("name", ["python", "run_tests"])
def test_every_shipped_tool_loads(name):
    assert load_tool(content_dir("tools") / name).name == name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "greet"', "", "name is missing"),
        ('name = "greet"', "name = 1", "name is missing"),
        ('"files"', '"memory"', "state is 'memory', it must be 'heap' or 'files'"),
        ("wall_s", "walls", "limits must be a table with keys among"),
        ("wall_s = 3", "wall_s = 0", "limits.wall_s is 0, it must be a number above 0"),
        ("wall_s = 3", "wall_s = '3'", "limits.wall_s is '3'"),
        ("[limits]", "colour = 1\n[limits]", "unknown key 'colour'"),
        ("[parameters]\ntype", "parameters", "parameters must be a table"),
        ("name = ", "name ", "cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(folder, old, new, said):
    path = folder / "tool.toml"
    text = path.read_text()
    if old.startswith("[parameters]"):
        text = "parameters = 1\n" + text.partition("[parameters]")[0]
    path.write_text(text.replace(old, new))
    with pytest.raises(ToolError, match="(?s)" + ".*" + said.replace("(", r"\(")):
        load_tool(folder)


@pytest.mark.parametrize("missing", ["tool.toml", "run.py"])
def test_a_folder_that_is_not_whole_is_no_tool(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(ToolError, match="cannot be read"):
        load_tool(folder)

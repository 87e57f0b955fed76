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
    assert tool.host == ""


def test_a_program_of_several_modules_travels_as_one_file_that_python_runs(folder, tmp_path):
    (folder / "run.py").write_text("from _other import word\nprint(word)\n")
    (folder / "_other.py").write_text("word = 'together'\n")
    program = tmp_path / "elsewhere"
    program.write_bytes(load_tool(folder).program)
    done = subprocess.run([sys.executable, "-I", program], capture_output=True, text=True, cwd="/", check=True)
    assert done.stdout == "together\n"
    assert load_tool(folder).program == program.read_bytes()


@pytest.mark.parametrize("name", ["fetch", "python", "run_tests"])
def test_every_shipped_tool_loads(name):
    assert load_tool(content_dir("tools") / name).name == name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "greet"', "", "name is missing"),
        ('name = "greet"', "name = 1", "name is missing"),
        ('"files"', '"memory"', "state is 'memory', it must be 'heap' or 'files'"),
        ("wall_s", "walls", "limits.walls is unknown, the keys are wall_s, cpu_s"),
        ("wall_s = 3", "wall_s = true", "limits.wall_s is True, it must be a number"),
        ("wall_s = 3", "wall_s = nan", "limits.wall_s is nan"),
        ("wall_s = 3", "cpu_s = inf", "limits.cpu_s is inf"),
        ("wall_s = 3", "memory = 1.5", "limits.memory is 1.5, it must be a whole number above 0"),
        ('"greet"', '"say hello"', "name is 'say hello', it must be at most 64 letters"),
        ('"greet"', '"../greet"', "name is '../greet'"),
        ('state = "files"', 'state = "files"\nhost = 1', "host is missing, give it as a text"),
        ('state = "files"', 'state = "heap"\nhost = "fetch"', "host is 'fetch', but no program"),
        ('type = "object"', 'type = "array"', "parameters.type is 'array', it must be 'object'"),
        ('type = "object"', "", "parameters.type is None"),
        ('type = "object"', 'type = "object"\ndefault = 2026-01-01', "parameters holds what is no JSON value"),
        ('type = "object"', 'type = "object"\nminimum = nan', "parameters holds what is no JSON value"),
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
    with pytest.raises(ToolError) as caught:
        load_tool(folder)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


@pytest.mark.parametrize("missing", ["tool.toml", "run.py"])
def test_a_folder_that_is_not_whole_is_no_tool(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(ToolError, match=f"{missing} cannot be read: No such file"):
        load_tool(folder)

"""A directory as a task: its text, its files, its tests, and the files of which a solution consists.

Reads only. Hidden files, environments, caches and links that lead elsewhere stay out.
"""

import difflib
import os
import stat
from pathlib import Path, PurePosixPath

from reasoner.errors import TaskError
from reasoner.tasks.command import read_command
from reasoner.tasks.editable import editable_files
from reasoner.tasks.paths import problem_with
from reasoner.tasks.source import is_unittest, parse
from reasoner.types import Files, Runner, Suite, Task

_TEXTS = ("task.md", "readme.md", "instructions.md")
_DOCS = ("introduction.md", "instructions.md", "instructions.append.md")
_SKIPPED = frozenset({"__pycache__", "node_modules", "venv", "env", "site-packages"})
_TEST_FOLDERS = frozenset({"test", "tests"})
_FILES = 2_000
_BYTES = 32 * 2**20
_TEXT_BYTES = 64 * 2**10


def read_directory(path: Path, prompt: str | None, tests: str | None) -> Task:
    """The task in a directory; `prompt` and `tests` (a test command) come first. Raises `TaskError`."""
    files = _files(path)
    written, text = _text(path, files)
    prompt = prompt or text
    if prompt is None:
        raise TaskError(f"{path} says nowhere what to do: write it in TASK.md, or pass the task's text")
    if not prompt.strip():
        raise TaskError(f"{path / written} is empty: say what the code should do")
    suite = _suite(path, files, tests)
    rest = {name: data for name, data in files.items() if name not in suite.files and name != written}
    return Task(path.resolve().name or "task", prompt, rest, editable_files(path, rest, suite), suite)


def _files(root: Path) -> Files:
    """Everything that goes into the workspace, in a stable order."""
    files: dict[str, bytes] = {}
    size = 0
    for folder, folders, names in os.walk(root, onerror=_refuse):
        if "pyvenv.cfg" in names and folder != str(root):
            folders.clear()
            continue
        folders[:] = sorted(filter(_belongs, folders))
        for name in sorted(names):
            path = Path(folder, name)
            if not _belongs(name) or not _inside(path, root):
                continue
            data = _read(path)
            size += len(data)
            files[path.relative_to(root).as_posix()] = data
            if len(files) > _FILES or size > _BYTES:
                raise TaskError(
                    f"{root} holds more than {_FILES:,} files or {_BYTES >> 20} MiB: point at the smaller directory"
                    " that the task is about"
                )
    return files


def _refuse(error: OSError) -> None:
    raise TaskError(f"{error.filename} cannot be read: {error.strerror}") from error


def _belongs(name: str) -> bool:
    """Not hidden (`.git`, `.env`, Exercism's `.meta` with its solution), made by tools, or unusable as a name."""
    return not (name.startswith(".") or name in _SKIPPED or name.endswith((".pyc", ".egg-info")) or problem_with(name))


def _inside(path: Path, root: Path) -> bool:
    """Whether it is a regular file that lies in the directory, also after its links are followed."""
    try:
        return stat.S_ISREG(path.stat().st_mode) and path.resolve().is_relative_to(root.resolve())
    except OSError:
        return False


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_BYTES + 1)
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror}") from error


def _text(root: Path, files: Files) -> tuple[str, str | None]:
    """The file that says what to do, and what it says."""
    top = {name.lower(): name for name in files if "/" not in name}
    for wanted in _TEXTS:
        if name := top.get(wanted):
            return name, _decoded(root / name, files[name])
    parts = [root / ".docs" / name for name in _DOCS]
    said = [_decoded(part, _read(part)) for part in parts if _inside(part, root)]
    return "", "\n\n".join(said) if said else None


def _decoded(path: Path, data: bytes) -> str:
    if len(data) > _TEXT_BYTES:
        raise TaskError(f"{path} is longer than {_TEXT_BYTES >> 10} KiB: pass the task's text instead")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaskError(f"{path} is not UTF-8 text: write it anew, or pass the task's text") from error


def _suite(root: Path, files: Files, command: str | None) -> Suite:
    """The tests that are found, or those that a command names. All test files belong to it, so none is editable."""
    found = [name for name in files if _is_test(name)]
    if command is None:
        if not found:
            raise TaskError(f"no tests found in {root}: call them test_*.py or *_test.py, or pass a test command")
        return Suite(_runner(root, files, found), _kept(files, found), tuple(found))
    runner, targets = read_command(command)
    named = [name for target in targets for name in _named(root, files, target, runner)]
    if not named and not found:
        raise TaskError(f"no tests found in {root} for {command!r}: name the test files in the command")
    return Suite(runner, _kept(files, [*found, *named]), targets or tuple(found))


def _is_test(name: str) -> bool:
    file = PurePosixPath(name).name
    return file.endswith("_test.py") or (file.startswith("test_") and file.endswith(".py"))


def _kept(files: Files, tests: list[str]) -> Files:
    """Test files, what lies in their folders called tests, and pytest's conftest.py: restored before each run."""
    return {name: data for name, data in files.items() if name in tests or _is_support(name)}


def _is_support(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name == "conftest.py" or not _TEST_FOLDERS.isdisjoint(path.parts[:-1])


def _runner(root: Path, files: Files, tests: list[str]) -> Runner:
    """unittest where all test files stand at the top and use nothing else; pytest runs everything."""
    trees = [parse(root / name, files[name], "the test file") for name in tests]
    plain = all("/" not in name and name[:-3].isidentifier() for name in tests) and "conftest.py" not in files
    return "unittest" if plain and all(is_unittest(tree) for tree in trees) else "pytest"


def _named(root: Path, files: Files, target: str, runner: Runner) -> list[str]:
    """Files that one argument of a test command stands for. Raises `TaskError` when it looks like one and is none."""
    place = target.partition("::")[0].removeprefix("./").rstrip("/")
    if runner == "unittest" and not place.endswith(".py"):
        parts = place.split(".")
        dotted = ["/".join(parts[:end]) + ".py" for end in range(1, len(parts) + 1)]
        return [name for name in dotted if name in files]
    if target.startswith("-"):
        return []
    found = [name for name in files if name == place or name.startswith(f"{place}/") or place == "."]
    if not found and place.endswith(".py"):
        near = difflib.get_close_matches(place, files, n=1, cutoff=0.0)
        raise TaskError(f"the test file {place} is not in {root}" + (f": the nearest is {near[0]}" if near else ""))
    return [name for name in found if name == place or _is_test(name)]

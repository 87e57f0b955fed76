"""Which files of a directory a solution consists of: what the tests import, and what is still a stub."""

import sys
import sysconfig
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath

from reasoner.errors import TaskError
from reasoner.tasks.source import imports, is_stub, parse
from reasoner.types import Files, Suite

_SMALL = 20
"""Up to as many files, all of them may be changed where none is a stub."""
_BYTES = 64 * 2**10
"""Longer files are never shown, so never changed."""
_TOOLING = frozenset({"setup.py", "noxfile.py"})


def editable_files(root: Path, files: Files, suite: Suite) -> tuple[str, ...]:
    """Paths of `files` (the workspace without its tests), or of one that is not there yet; the main one first.

    Stubs among what the tests import; a module that the tests import and nobody has written; else every Python file,
    in a large directory only what the tests reach. Raises `TaskError` when nothing is left to change.
    """
    sources = [name for name, data in files.items() if _is_source(name, data)]
    wanted = _imported_by_tests(root, suite)
    places = dict.fromkeys(name for module in wanted for name in _places(module, _test_folders(suite)))
    first = [name for name in places if name in sources]
    reached = _reached(root, files, sources, first)
    if stubs := [name for name in reached if is_stub(parse(root / name, files[name], "the stub"))]:
        return tuple(stubs)
    if not first and (missing := _unwritten(wanted, suite)):
        return (missing,)
    rest = [name for name in sources if name not in reached] if len(sources) <= _SMALL or not reached else []
    if not reached and not rest:
        raise TaskError(f"{root} holds nothing to work on: the tests import no module of it, and it has no Python file")
    return (*reached, *rest[:_SMALL])


def _is_source(name: str, data: bytes) -> bool:
    if not name.endswith(".py") or PurePosixPath(name).name in _TOOLING or len(data) > _BYTES:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _imported_by_tests(root: Path, suite: Suite) -> list[str]:
    """Modules in the order in which the tests that are run import them."""
    files = sorted(suite.files, key=lambda name: (not any(name in target for target in suite.targets), name))
    trees = [parse(root / name, suite.files[name], "the test file") for name in files if name.endswith(".py")]
    return list(dict.fromkeys(module for tree in trees for module in imports(tree)))


def _test_folders(suite: Suite) -> list[str]:
    """Where a test finds its modules: from the top, in src/, and beside it."""
    return list(dict.fromkeys([".", "src", *sorted(str(PurePosixPath(name).parent) for name in suite.files)]))


def _places(module: str, folders: Iterable[str]) -> Iterable[str]:
    """Files that a module may be."""
    path = module.replace(".", "/")
    for folder in folders:
        yield str(PurePosixPath(folder, f"{path}.py"))
        yield str(PurePosixPath(folder, path, "__init__.py"))


def _reached(root: Path, files: Files, sources: list[str], first: list[str]) -> list[str]:
    """`first`, and after it what those files import in turn. What the tests import must parse."""
    reached = list(first)
    for name in reached:
        folder = str(PurePosixPath(name).parent)
        for module in imports(parse(root / name, files[name], "the stub")):
            places = _places(module, dict.fromkeys((".", "src", folder)))
            reached += [place for place in places if place in sources and place not in reached]
    return reached


def _unwritten(modules: list[str], suite: Suite) -> str:
    """The file of the first module that is neither Python's own, nor installed here, nor the tests'; or empty."""
    installed = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    for module in modules:
        top = module.partition(".")[0]
        known = top in sys.stdlib_module_names or PathFinder.find_spec(top, installed)
        if not known and suite.files.keys().isdisjoint(_places(module, _test_folders(suite))):
            return f"{module.replace('.', '/')}.py"
    return ""

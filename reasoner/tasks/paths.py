"""Paths that a task may name: relative, inside the workspace, in one spelling."""

from collections.abc import Iterable
from pathlib import PurePosixPath

_LENGTH = 400


def problem_with(path: str) -> str:
    """Why a path cannot be used, empty when it can."""
    if not path or len(path) > _LENGTH or "\\" in path or not path.isprintable():
        return "is not a usable file name"
    if path.startswith("/"):
        return "is absolute, write it relative to the workspace"
    if ".." in PurePosixPath(path).parts:
        return "leads out of the workspace"
    if str(PurePosixPath(path)) != path or path == ".":
        return f"is not written plainly, write {PurePosixPath(path)}"
    return ""


def clash(paths: Iterable[str]) -> str:
    """A path that would have to be a file and a folder at once, empty when there is none."""
    known = set(paths)
    folders = {str(parent) for path in known for parent in PurePosixPath(path).parents}
    return min(known & folders, default="")

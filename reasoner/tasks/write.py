"""Puts a solution in place: whole files, swapped in by rename, inside one directory and through no symbolic link.

Every file is written beside its place and synced before the first one is renamed, so a full disk changes nothing.
Paths come from a task, so they are walked one component at a time, each opened relative to the one before it: a link
that somebody plants meanwhile is an error, not a way out. It does not protect from who may write to the directory.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reasoner.errors import TaskError
from reasoner.types import Files

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class _Staged:
    """A file that waits under `temporary` in the open directory `folder` for its name."""

    folder: int
    temporary: str
    name: str


def write(directory: Path, files: Files) -> list[str]:
    """Replace or create `files` in `directory`; the paths that were written, in order. Modes of old files stay.

    Raises:
        TaskError: a path leads outside, through a symbolic link, or to something that is no regular file, or the disk
            refuses; then nothing is changed.
    """
    with ExitStack() as open_folders:
        staged: list[_Staged] = []
        try:
            for path, content in files.items():
                with _explained(directory, path):
                    staged.append(_stage(open_folders, directory, path, content))
            for path, file in zip(files, staged, strict=True):
                with _explained(directory, path):
                    os.replace(file.temporary, file.name, src_dir_fd=file.folder, dst_dir_fd=file.folder)
        finally:
            for file in staged:
                with suppress(FileNotFoundError):
                    os.unlink(file.temporary, dir_fd=file.folder)
    return list(files)


def _stage(open_folders: ExitStack, directory: Path, path: str, content: bytes) -> _Staged:
    *parents, name = _components(path)
    folder = os.open(directory, _FOLDER & ~os.O_NOFOLLOW)
    open_folders.callback(os.close, folder)
    for parent in parents:
        with suppress(FileExistsError):
            os.mkdir(parent, dir_fd=folder)
        folder = os.open(parent, _FOLDER, dir_fd=folder)
        open_folders.callback(os.close, folder)
    mode = _mode(folder, name)
    temporary = f".{name[:64]}.{secrets.token_hex(4)}.new"
    file = os.open(temporary, _NEW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(file, "wb") as out:
            out.write(content)
            out.flush()
            os.fchmod(file, mode)
            os.fsync(file)
    except OSError:
        os.unlink(temporary, dir_fd=folder)
        raise
    return _Staged(folder, temporary, name)


def _components(path: str) -> list[str]:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise TaskError(f"the solution has a file {path!r}, which is not inside the task's directory: not written")
    return list(parts)


def _mode(folder: int, name: str) -> int:
    """The old file's permissions, or those of a new file."""
    try:
        old = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        umask = os.umask(0o022)
        os.umask(umask)
        return 0o666 & ~umask
    if not stat.S_ISREG(old.st_mode):
        raise TaskError(f"{name} is a symbolic link or no regular file: not written; replace it with a file first")
    return stat.S_IMODE(old.st_mode)


@contextmanager
def _explained(directory: Path, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TaskError(
            f"cannot write {path} into {directory} ({error.strerror}): see to that and run it again"
        ) from error

"""The root of every world: a copy of a CPython with the libraries it loads, the guest, pytest, and nothing else.

No registry, no package manager, no shell. The folder's name is a hash of what goes into it, and it appears whole or not
at all. Docker imports it as an image; bubblewrap mounts it read-only.
"""

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from reasoner.content import content_dir
from reasoner.errors import SandboxError
from reasoner.sandboxes import interpreter, owner
from reasoner.sandboxes.interpreter import Interpreter, extensions, libraries

Progress = Callable[[str], None]

SYSTEM_HOME = Path("/var/cache/reasoner")
PACKAGES, PROJECT, GUEST = "opt/packages", "opt/project", "opt/reasoner"
COMMAND = ("/usr/bin/python3", "-S", "-s", "-P", "-B", f"/{GUEST}")
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
SEARCHED = f"/{PROJECT}\n/{PACKAGES}\n"
"""Content of a `.pth` file: a project's own packages come before ours."""
_ALWAYS_THERE = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
_LEFT_OUT = shutil.ignore_patterns(
    *("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"),
    *("config-*", "lib-dynload", "pydoc_data", "*.opt-1.pyc", "*.opt-2.pyc", "*.a", "*.exe"),
)
_MOUNTED = ("proc", "dev", "tmp", "slots", PROJECT)


def store() -> Path:
    """Where roots are kept: `$REASONER_HOME/sandbox`, else `reasoner/sandbox` in the user's cache folder.

    Root's worlds run as another user: where only root could walk to that, it is `/var/cache/reasoner/sandbox`.
    """
    chosen = os.environ.get("REASONER_HOME", "")
    cache = os.environ.get("XDG_CACHE_HOME", "") or "~/.cache"
    home = (Path(chosen).expanduser() if chosen else Path(cache).expanduser() / "reasoner").absolute()
    return (home if reachable(home) else SYSTEM_HOME) / "sandbox"


def reachable(path: Path) -> bool:
    """Whether the user that runs the worlds can walk to `path`: root hands them to another one."""
    return os.geteuid() != 0 or all(f.stat().st_mode & 0o001 for f in path.resolve().parents if f.exists())


def digest(found: Interpreter) -> str:
    """What names the root of this interpreter: the build, then eight hex digits of its own."""
    binary = found.executable.stat()
    parts = [str(found.executable), found.build, str(binary.st_size), str(binary.st_mtime_ns)]
    return f"{build()}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:8]}"


def build() -> str:
    """Eight hex digits of all that goes into every root: how it is made, this guest, these packages. Roots and images
    of another build are of no use to this installation."""
    summed = hashlib.sha256()
    for recipe in (__file__, interpreter.__file__):
        summed.update(Path(recipe).read_bytes())
    for name in _ALWAYS_THERE:
        summed.update(f"{name} {importlib.metadata.version(name)}\0".encode())
    for place, source in _guest_files():
        summed.update(f"\0{place}\0".encode() + source.read_bytes())
    return summed.hexdigest()[:8]


def rootfs(found: Interpreter, progress: Progress) -> Path:
    """The root for `found`, built now if it is not there.

    Raises:
        SandboxError: the disk is full, or something of the interpreter cannot be read.
    """
    final = store() / f"rootfs-{digest(found)}"
    if final.is_dir():
        return final
    progress(f"building the sandbox's root from Python {found.release[0]}.{found.release[1]}")
    try:
        store().mkdir(parents=True, exist_ok=True)
        building = store() / owner.mark()
        building.mkdir()
        try:
            _build(building, found)
            _publish(building, final)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except (OSError, shutil.Error, subprocess.SubprocessError) as error:
        raise SandboxError(
            f"the sandbox's root cannot be built in {store()} ({error}): free some space there"
        ) from error
    return final


def prune(*, old: bool = False) -> int:
    """Remove roots that were left half-built by a process that is gone, and with `old` those of other builds that no
    world stands on; how many there were."""
    left = [folder for folder in store().glob(f"{owner.PREFIX}.*") if owner.orphaned(folder.name)]
    if old:
        others = [folder for folder in store().glob("rootfs-*") if not folder.name.startswith(f"rootfs-{build()}-")]
        left += [folder for folder in others if not _in_use(folder)]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return len(left)


def use(root: Path) -> int:
    """A descriptor that keeps `root` from being pruned until it is closed, or this process ends: a root that is taken
    away takes the mounts of its worlds with it. Raises SandboxError."""
    try:
        held = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SandboxError(f"the sandbox's root {root} is gone ({error.strerror}): start again") from error
    fcntl.flock(held, fcntl.LOCK_SH)
    return held


def _in_use(root: Path) -> bool:
    held = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(held)
    return False


def _publish(building: Path, final: Path) -> None:
    try:
        building.rename(final)
    except OSError:
        if not final.is_dir():  # else somebody else was quicker, with the same content
            raise


def _build(root: Path, found: Interpreter) -> None:
    root.chmod(0o755)
    name = f"python{found.release[0]}.{found.release[1]}"
    for folder in ("usr/bin", "etc", "opt", PACKAGES, *_MOUNTED):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "workspace").symlink_to("/proc/self/cwd")
    _copy(found.executable, root / "usr/bin" / name, mode=0o755)
    for link in ("python3", "python"):
        (root / "usr/bin" / link).symlink_to(name)
    stdlib = root / "usr" / found.platlib / name
    shutil.copytree(found.stdlib, stdlib, ignore=_LEFT_OUT, symlinks=False)
    for extension in extensions(found):
        _copy(extension, stdlib / "lib-dynload" / extension.name, mode=0o755)
    for place, file in libraries(found).items():
        _copy(file, root / place.lstrip("/"), mode=0o755)
    for place, file in additions():
        _copy(file, root / place)
    for folder in found.sites:
        _write(root / folder.lstrip("/") / "reasoner.pth", SEARCHED)
    _write(root / "etc/passwd", "root:x:0:0::/:\nworld:x:65532:65532::/tmp:\n")
    _write(root / "etc/group", "root:x:0:\nworld:x:65532:\n")
    _write(root / "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    _compile(root, found, stdlib)
    _make_readable(root)
    for folder in ("tmp", "slots"):
        (root / folder).chmod(0o1777)  # what is mounted there takes its mode from here


def additions() -> list[tuple[str, Path]]:
    """What a world has besides a Python: place in the root -> file here."""
    return [*_guest_files(), *_package_files()]


def _guest_files() -> list[tuple[str, Path]]:
    content = content_dir("sandbox")
    files = [content / "__main__.py", *sorted((content / "guest").glob("*.py"))]
    return [(f"{GUEST}/{file.relative_to(content).as_posix()}", file) for file in files]


def _package_files() -> Iterable[tuple[str, Path]]:
    for name in _ALWAYS_THERE:
        files = importlib.metadata.files(name)
        if not files:
            raise SandboxError(f"the files of the package {name} are not recorded here: install it with pip")
        for file in files:
            if ".." not in file.parts and file.suffix != ".pyc":
                yield f"{PACKAGES}/{file.as_posix()}", Path(str(file.locate()))


def _compile(root: Path, found: Interpreter, stdlib: Path) -> None:
    """Byte-code for what has none yet: nothing can be written once the world runs."""
    folders = [stdlib, root / PACKAGES, root / GUEST]
    command = [str(found.executable), "-I", "-m", "compileall", "-q", "-s", str(root), "-p", "/", *map(str, folders)]
    subprocess.run(command, check=False, capture_output=True, timeout=300)


def _make_readable(root: Path) -> None:
    for folder, _, names in os.walk(root):
        os.chmod(folder, 0o755)
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)


def _copy(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    target.chmod(mode)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

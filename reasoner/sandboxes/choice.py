"""Which sandbox, and why not the other: opening, probing, building, cleaning. The only place that knows all kinds."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reasoner.errors import ConfigError, SandboxError
from reasoner.sandboxes import cgroup, rootfs
from reasoner.sandboxes.interpreter import Interpreter, environment_packages, interpreter
from reasoner.sandboxes.rootfs import Progress
from reasoner.sandboxes.sandbox import GuestSandbox, Launcher
from reasoner.types import Limits

Kind = Literal["auto", "docker", "bubblewrap"]
_KINDS = ("docker", "bubblewrap")


def _silent(line: str) -> None:
    pass


@dataclass(frozen=True)
class Probe:
    """Whether one kind of sandbox can be used here: how well it closes, or why it cannot and what to do."""

    kind: str
    usable: bool
    level: str = ""
    cause: str = ""


async def open_sandbox(
    kind: str = "auto",
    *,
    python: Path | str | None = None,
    warm: int = 1,
    image: str = "",
    progress: Progress = _silent,
) -> GuestSandbox:
    """A sandbox whose first world is started and proven closed. `auto` is Docker where an engine answers, else
    bubblewrap; no kind is ever weakened to make it work.

    Args:
        python: a virtual environment (or its interpreter) whose packages are there, read-only, and whose base
            interpreter the world runs.
        warm: guests that are kept started.
        image: a Docker image made by `build_image`, instead of the one that is imported from this Python.
        progress: told what takes longer than a moment.

    Raises:
        ConfigError: there is no such kind, or `python` is no environment.
        SandboxError: it cannot be closed here; cause and remedy.
    """
    if kind not in ("auto", *_KINDS):
        raise ConfigError(f"there is no sandbox of the kind {kind!r}: use auto, docker or bubblewrap")
    if kind != "auto":
        return await _opened(await asyncio.to_thread(_launcher, kind, python, image, progress), warm)
    causes = []
    for each in _KINDS:
        try:
            return await _opened(await asyncio.to_thread(_launcher, each, python, image, progress), warm)
        except SandboxError as error:
            causes.append(f"{each}: {error}")
    raise SandboxError(f"no sandbox can be closed on this machine, so nothing is run. {'; '.join(causes)}")


async def probe() -> list[Probe]:
    """Try every kind for real."""
    found = []
    for kind in _KINDS:
        try:
            sandbox = await open_sandbox(kind, warm=0)
        except SandboxError as error:
            found.append(Probe(kind, False, cause=str(error)))
        else:
            found.append(Probe(kind, True, sandbox.level))
            await sandbox.close()
    return found


def build_image(base: str = "", *, site: str = "", progress: Progress = _silent) -> str:
    """Make the Docker image now; its tag. With a `base` of a registry the guest is put on that image, whose Python
    looks for packages in `site`; without one this Python is imported and nothing is fetched.

    Raises:
        SandboxError: no engine answers, or it cannot be built.
    """
    from reasoner.sandboxes import docker, image

    api = docker.connect()
    try:
        if base:
            return image.built(api, base, site or "/usr/local/lib/python3.12/site-packages", progress)
        return image.imported(api, interpreter(Path(sys.executable)), progress)
    finally:
        api.close()


def prune() -> int:
    """Remove what runs that were killed have left behind (containers, control groups, half-built roots), and the roots
    and images of other builds that nothing uses. How many."""
    count = cgroup.prune() + rootfs.prune(old=True)
    from reasoner.sandboxes import docker, image

    try:
        api = docker.connect()
    except SandboxError:
        return count
    try:
        return count + docker.prune(api) + image.prune(api)
    finally:
        api.close()


async def _opened(launcher: Launcher, warm: int) -> GuestSandbox:
    """Prove the kind by a first world, which is then the first warm one."""
    sandbox = GuestSandbox(launcher, warm=warm)
    try:
        await sandbox.prove(Limits())
    except BaseException:
        await sandbox.close()
        raise
    return sandbox


def _launcher(kind: str, python: Path | str | None, image: str, progress: Progress) -> Launcher:
    environment = _environment(Path(python)) if python else None
    packages = environment_packages(environment) if environment else None
    found = interpreter(environment or Path(sys.executable))
    if kind == "bubblewrap":
        return _bubblewrap(found, packages, progress)
    return _docker(found, packages, image, progress)


def _bubblewrap(found: Interpreter, packages: Path | None, progress: Progress) -> Launcher:
    from reasoner.sandboxes.bubblewrap import Bubblewrap

    cgroup.prune()
    rootfs.prune()
    return Bubblewrap(rootfs.rootfs(found, progress), packages)


def _docker(found: Interpreter, packages: Path | None, image: str, progress: Progress) -> Launcher:
    from reasoner.sandboxes import docker
    from reasoner.sandboxes.image import imported

    api = docker.connect()
    try:
        docker.prune(api)
        return docker.Docker(api, image or imported(api, found, progress), packages)
    except SandboxError:
        api.close()
        raise


def _environment(python: Path) -> Path:
    """The interpreter of a virtual environment given by its folder, its configuration's folder or itself."""
    for candidate in (python / "bin" / "python", python):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return Path(os.path.abspath(candidate))
    raise ConfigError(f"{python} is no virtual environment: name its folder, the one with bin/python in it")

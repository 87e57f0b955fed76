"""Worlds in Docker containers: no network, a read-only root, no capabilities, no mounts, everything bounded.

One container a world, attached by its own stream; when the host dies the stream closes, the guest ends and the engine
removes the container. What a killed engine leaves behind carries a label and is pruned.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reasoner.errors import SandboxError
from reasoner.sandboxes import owner
from reasoner.sandboxes.guest import Guest
from reasoner.sandboxes.proof import UID, prove
from reasoner.sandboxes.rootfs import ENVIRONMENT, PROJECT
from reasoner.sandboxes.walls import Walls, walls
from reasoner.types import Limits

LABEL = "reasoner.world"
_HEAD = struct.Struct(">BxxxI")
_TIMEOUT_S = 60
_WORDS = 8000
_NICE = 10
"""Inside a container's own share of the CPU the supervisor must not wait behind a fork bomb."""


def connect() -> Any:
    """The engine's API, as `DOCKER_HOST` and the rest of the environment say.

    Raises:
        SandboxError: no engine answers.
    """
    import docker

    try:
        _knock()
        return docker.from_env(timeout=_TIMEOUT_S).api
    except (docker.errors.DockerException, OSError) as error:
        raise SandboxError(
            f"no Docker engine answers ({error}): start one (`dockerd`, Docker Desktop), or set DOCKER_HOST"
        ) from error


def _knock() -> None:
    """Raise OSError when nobody listens on a local socket; the SDK would say it at length and leave a socket open."""
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(5.0)
            knocking.connect(host.removeprefix("unix://"))


class Docker:
    """Launches containers of `image`. `packages` is a folder of a project's own packages, mounted read-only; `command`
    is what runs as process 1, where it is not what the image says."""

    def __init__(self, api: Any, image: str, packages: Path | None = None, command: Sequence[str] = ()) -> None:
        self._api, self._image, self._packages, self._command = api, image, packages, command
        self._runtime = "runsc" if "runsc" in api.info().get("Runtimes", {}) else None
        self.level = "docker+runsc" if self._runtime else "docker"

    def walls(self, limits: Limits) -> Walls:
        return replace(walls(limits, bounded=True, own_users=False), nice=_NICE)

    async def launch(self, limits: Limits) -> Guest:
        """Start a guest in a container of its own.

        Raises:
            SandboxError: the engine cannot start it, or it is not closed.
        """
        with _engine("cannot start a container"):
            channel = await asyncio.to_thread(self._start, self.walls(limits))
        guest = Guest(channel)
        try:
            await prove(guest, kernel=self._runtime or "")
        except SandboxError:
            await guest.close()
            raise
        return guest

    async def close(self) -> None:
        await asyncio.to_thread(self._api.close)

    def _start(self, sizes: Walls) -> "_Container":
        _knock()
        container = self._api.create_container(
            self._image,
            user=f"{UID}:{UID}",
            hostname="world",
            environment=ENVIRONMENT,
            labels={LABEL: owner.mark()},
            entrypoint=list(self._command) or None,
            stdin_open=True,
            network_disabled=True,
            host_config=self._closed(sizes),
        )["Id"]
        try:
            stream = _attach(self._api, container)
            self._api.start(container)
        except _failures():
            _remove(self._api, container)
            raise
        return _Container(self._api, container, stream)

    def _closed(self, sizes: Walls) -> Any:
        import docker

        tmpfs = "rw,exec,nosuid,nodev,mode=1777,nr_inodes={},size={}"
        limits = {"nofile": 1024, "core": 0}
        return self._api.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            pids_limit=sizes.pids,
            mem_limit=sizes.memory,
            memswap_limit=sizes.memory,
            ipc_mode="private",
            shm_size=sizes.scratch,
            ulimits=[docker.types.Ulimit(name=name, soft=n, hard=n) for name, n in limits.items()],
            tmpfs={
                "/slots": tmpfs.format(sizes.inodes, sizes.slots),
                "/tmp": tmpfs.format(sizes.inodes, sizes.scratch),
            },
            log_config=docker.types.LogConfig(type="none"),
            binds={str(self._packages): {"bind": f"/{PROJECT}", "mode": "ro"}} if self._packages else None,
            auto_remove=True,
            runtime=self._runtime,
        )


class _Container:
    """A running container as a `Channel`. The engine puts eight bytes before each piece of stdout or stderr."""

    def __init__(self, api: Any, container: str, stream: socket.socket) -> None:
        self._api, self._container, self._socket = api, container, stream
        self._held = bytearray()
        self._words = b""

    async def read(self) -> bytes:
        while True:
            data = await asyncio.get_running_loop().sock_recv(self._socket, 1 << 18)
            self._held += data
            said = b"".join(self._pieces())
            if said or not data:
                return said

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def stop(self) -> str:
        await asyncio.to_thread(_remove, self._api, self._container)
        self._socket.close()
        return self._words.decode("utf-8", "replace")

    def _pieces(self) -> Iterator[bytes]:
        """What stdout has said; stderr is kept for the last words."""
        while len(self._held) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._held)
            end = _HEAD.size + length
            if len(self._held) < end:
                return
            piece = bytes(self._held[_HEAD.size : end])
            del self._held[:end]
            if kind == 2:
                self._words = (self._words + piece)[-_WORDS:]
            else:
                yield piece


def prune(api: Any) -> int:
    """Remove containers whose owner is gone; how many there were. Raises SandboxError."""
    with _engine("cannot list its containers"):
        found = api.containers(all=True, filters={"label": LABEL})
        left = [c["Id"] for c in found if owner.orphaned(c["Labels"].get(LABEL, ""))]
        for container in left:
            _remove(api, container)
    return len(left)


@contextlib.contextmanager
def _engine(what: str) -> Iterator[None]:
    try:
        yield
    except _failures() as error:
        raise SandboxError(f"the Docker engine {what} ({error}): see `docker info`") from error


def _attach(api: Any, container: str) -> socket.socket:
    """A socket of our own on the container's streams; the response that it came with is closed properly."""
    stream = api.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    own: socket.socket = getattr(stream, "_sock", stream).dup()
    own.setblocking(False)
    stream._response.close()
    return own


def _remove(api: Any, container: str) -> None:
    """Kill and remove; that it is gone or going already, or that the engine is, changes nothing."""
    with contextlib.suppress(*_failures()):
        _knock()
        api.remove_container(container, force=True, v=True)


def _failures() -> tuple[type[Exception], ...]:
    import docker
    import requests

    return docker.errors.DockerException, requests.exceptions.RequestException, OSError

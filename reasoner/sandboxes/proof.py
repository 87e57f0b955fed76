"""The proof that a world is closed, asked of every new guest before it is told anything.

The guest's supervisor is ours and has run nothing yet, so it is believed; what it reports comes from the kernel.
"""

import os
import socket
from typing import Any

from reasoner.errors import SandboxError
from reasoner.sandboxes.guest import Guest

UID = 65532
_START_S = 60.0
_PROMISED = {"NoNewPrivs": "1", "Seccomp": "2"}
_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


async def prove(guest: Guest, *, kernel: str = "") -> None:
    """Compare what the guest sees with what was promised. `kernel` names another kernel than the host's, if it has one.

    Raises:
        SandboxError: something is open.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        answer = await guest.call({"op": "ping", "paths": _of_the_host(), "port": port}, _START_S)
    problems = _problems(answer.get("facts"), kernel)
    if problems:
        raise SandboxError(f"the sandbox is not closed: {', '.join(problems)}")


def _problems(facts: Any, kernel: str) -> list[str]:
    if not isinstance(facts, dict):
        return ["it does not say what it is"]
    status = facts["status"]
    found = [f"{name} is {status[name]}" for name in _CAPABILITIES if int(status[name] or "1", 16)]
    found += [f"{path} of the host is visible" for path in facts["visible"]]
    found += [f"{path} can be written" for path in facts["writable"]]
    if facts["pid"] != 1:
        found.append(f"its first process has the number {facts['pid']}")
    if facts["uid"] != UID:
        found.append(f"it runs as user {facts['uid']}")
    if facts["reached"]:
        found.append("it reaches the host's loopback")
    if kernel:
        return found
    found += [f"{name} is {status[name]}" for name, value in _PROMISED.items() if status[name] != value]
    return found + [f"it shares the host's {n} namespace" for n, link in facts["namespaces"].items() if link == _own(n)]


def _of_the_host() -> list[str]:
    return [
        os.path.abspath(__file__),
        "/var/run/docker.sock",
        "/run/docker.sock",
        f"/proc/{os.getpid()}/root/etc/shadow",
    ]


def _own(namespace: str) -> str:
    return os.readlink(f"/proc/self/ns/{namespace}")

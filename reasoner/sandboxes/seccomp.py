"""`sandbox/seccomp.json` compiled to the BPF program that the kernel runs before every system call.

Documentation: Linux `Documentation/userspace-api/seccomp_filter.rst`; instructions are `struct sock_filter`.
"""

import errno
import json
import platform
import struct
from typing import Any

from reasoner.content import content_dir
from reasoner.errors import SandboxError

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000
_EVERYBODY = 0xFFFFFFFF
_SET_SUBREAPER = 36


def compile_filter(*, forbid_kill_all: bool, machine: str | None = None) -> bytes:
    """The program, 8 bytes an instruction. `forbid_kill_all` refuses `kill(-1, …)`, which process 1 itself may need.

    Raises:
        SandboxError: no filter is known for this machine.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise SandboxError(f"no system-call filter is known for {machine}: use x86_64 or aarch64")
    profile = json.loads((content_dir("sandbox") / "seccomp.json").read_text(encoding="utf-8"))
    program = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, _ARCHITECTURES[machine], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        program += [_step(_AT_LEAST, _X32, 0, 1), _refuse(errno.ENOSYS)]
    program += [
        step for number in _numbers(profile["refused"], machine) for step in _on(number, [_refuse(errno.EPERM)])
    ]
    program += [
        step for number in _numbers(profile["missing"], machine) for step in _on(number, [_refuse(errno.ENOSYS)])
    ]
    program += _on(profile["clone"][machine], _argument([_step(_ANY_BIT, _NEW_NAMESPACES, 0, 1), _refuse(errno.EPERM)]))
    if forbid_kill_all:
        program += _on(profile["kill"][machine], _argument([_step(_EQUAL, _EVERYBODY, 0, 1), _refuse(errno.EPERM)]))
    program += _on(profile["prctl"][machine], _abandon_orphans())
    program += _on(profile["socket"][machine], _families(list(profile["families"].values())))
    return b"".join([*program, _step(_RETURN, _ALLOW)])


def _numbers(table: dict[str, dict[str, int]], machine: str) -> list[int]:
    return sorted({**table.get(machine, {}), **table["any"]}.values())


def _on(number: int, steps: list[bytes]) -> list[bytes]:
    """Steps for one system call; any other jumps over them."""
    return [_step(_EQUAL, number, 0, len(steps)), *steps]


def _argument(steps: list[bytes]) -> list[bytes]:
    return [_step(_LOAD, _FIRST_ARGUMENT), *steps, _step(_RETURN, _ALLOW)]


def _abandon_orphans() -> list[bytes]:
    """No process may stop being the one that its orphans come to: who has started what is told by that."""
    second = [_step(_LOAD, _SECOND_ARGUMENT), _step(_EQUAL, 0, 0, 1), _refuse(errno.EPERM)]
    return _argument([_step(_EQUAL, _SET_SUBREAPER, 0, len(second)), *second])


def _families(allowed: list[int]) -> list[bytes]:
    known = [_step(_EQUAL, family, len(allowed) - i, 0) for i, family in enumerate(allowed)]
    return [_step(_LOAD, _FIRST_ARGUMENT), *known, _refuse(errno.EAFNOSUPPORT), _step(_RETURN, _ALLOW)]


def _refuse(number: int) -> bytes:
    return _step(_RETURN, _ERRNO | number)


def _step(code: int, value: Any, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)

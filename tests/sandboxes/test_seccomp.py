"""The compiled filter, run by a small interpreter of its own."""

import errno
import struct

import pytest

from reasoner.errors import SandboxError
from reasoner.sandboxes.seccomp import compile_filter

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
X86_64, AARCH64 = 0xC000003E, 0xC00000B7


def decide(program, number, first=0, arch=X86_64):
    """What the kernel would answer."""
    data = struct.pack("=IIQQ", number, arch, 0, first & (2**64 - 1))
    at, held = 0, 0
    while True:
        code, then, otherwise, value = struct.unpack_from("=HBBI", program, at * 8)
        at += 1
        if code == 0x20:
            (held,) = struct.unpack_from("=I", data, value)
        elif code == 0x06:
            return value
        else:
            met = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            at += then if met else otherwise


@pytest.fixture(scope="module")
def program():
    return compile_filter(forbid_kill_all=True, machine="x86_64")


def test_ordinary_calls_pass(program):
    assert {decide(program, n) for n in (0, 1, 2, 9, 57, 59, 60, 202, 257)} == {ALLOW}


def test_calls_that_reach_out_of_the_world_are_refused(program):
    for number in (101, 165, 272, 308, 310, 319, 321, 425, 438):
        assert decide(program, number) == ERRNO | errno.EPERM


def test_clone3_is_missing_so_that_the_library_takes_clone(program):
    assert decide(program, 435) == ERRNO | errno.ENOSYS


def test_only_local_and_internet_sockets_can_be_made(program):
    assert [decide(program, 41, family) == ALLOW for family in (1, 2, 10, 16, 17, 38, 40)] == [True] * 3 + [False] * 4


def test_a_clone_makes_no_namespace(program):
    assert decide(program, 56, 0x01200011) == ALLOW
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert decide(program, 56, flag | 17) == ERRNO | errno.EPERM


def test_nobody_but_the_first_process_signals_all(program):
    assert decide(program, 62, -1) == ERRNO | errno.EPERM
    assert decide(program, 62, 42) == ALLOW
    assert decide(compile_filter(forbid_kill_all=False, machine="x86_64"), 62, -1) == ALLOW


def test_other_architectures_calls_do_not_slip_through(program):
    assert decide(program, 11, arch=0x40000003) == KILL
    assert decide(program, 0x40000000 + 165) == ERRNO | errno.ENOSYS
    assert decide(compile_filter(forbid_kill_all=True, machine="aarch64"), 117, arch=AARCH64) == ERRNO | errno.EPERM


def test_an_unknown_machine_is_refused():
    with pytest.raises(SandboxError, match="sparc"):
        compile_filter(forbid_kill_all=True, machine="sparc")

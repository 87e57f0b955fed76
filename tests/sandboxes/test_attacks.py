"""Attacks on the walls of a world: all contained, and after each the next call answers."""

import asyncio
import os
import socket
from pathlib import Path

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPAWN = """
import os, sys, subprocess, socket, signal, time, ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try:
        return action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
"""


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def goes_on(world):
    yield
    assert await world.answers()


async def both(world, code, **limits):
    """The same code as a cell and as a program."""
    yield await world.cell(world.root, SPAWN + code, **limits)
    yield await world.tool(world.root, SPAWN + code + "\nprint(0)", **limits)


# --- the network ---


async def test_the_hosts_loopback_and_the_network_are_out_of_reach(world):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        places = [("127.0.0.1", port), ("169.254.169.254", 80), ("1.1.1.1", 53), ("::1", port)]
        reach = f"[attempt(lambda a=a: socket.create_connection(a, timeout=1)) for a in {places}]"
        seen = await world.value(world.root, SPAWN + reach)
    assert set(eval(seen)) <= {"ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL"}


async def test_there_are_no_names_and_no_raw_packets(world):
    raw, packet, netlink, vsock, alg = (2, 3, 1), (17, 3, 0), (16, 3, 0), (40, 1, 0), (38, 5, 0)
    kinds = [raw, packet, netlink, vsock, alg]
    opened = await world.value(world.root, SPAWN + f"[attempt(lambda k=k: socket.socket(*k)) for k in {kinds}]")
    assert set(eval(opened)) <= {"EPERM", "EAFNOSUPPORT", "EPROTONOSUPPORT"}
    result, _ = await world.cell(world.root, "import socket; socket.getaddrinfo('example.com', 80)")
    assert "gaierror" in result.detail


async def test_no_abstract_socket_of_the_host_is_there(world):
    name = f"\0reasoner-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        code = f"s = socket.socket(socket.AF_UNIX); attempt(lambda: s.connect({name!r}))"
        assert await world.value(world.root, SPAWN + code) == "'ECONNREFUSED'"


# --- the host's files ---


async def test_nothing_of_the_host_is_there(world, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    paths = [
        str(secret),
        str(Path(__file__)),
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/etc/shadow",
        "/root",
        "/home",
        "/bin/sh",
    ]
    assert await world.value(world.root, f"import os; [p for p in {paths} if os.path.exists(p)]") == "[]"


async def test_the_environment_of_the_host_is_not_there(world):
    os.environ["REASONER_TEST_SECRET"] = "secret"
    try:
        result, _ = await world.tool(world.root, "import json, os; print(json.dumps(dict(os.environ)))")
    finally:
        del os.environ["REASONER_TEST_SECRET"]
    assert set(result.value) <= {
        *("PATH", "HOME", "LANG", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS", "PWD", "TMPDIR"),
        *("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "HOSTNAME", "LC_CTYPE"),
    }


async def test_nothing_outside_the_workspace_can_be_written(world):
    places = [
        "/x",
        "/usr/x",
        "/usr/bin/python3",
        "/opt/reasoner/__main__.py",
        "/opt/packages/x",
        "/etc/passwd",
        "/dev/x",
        "/proc/sys/kernel/core_pattern",
        "/sys/x",
    ]
    code = f"[attempt(lambda p=p: open(p, 'w') and 'written') for p in {places}]"
    async for result, _ in both(world, "seen = " + code + "\nassert 'written' not in seen, seen"):
        assert result.error is None, result


async def test_there_are_no_devices_but_the_harmless_ones(world):
    listed = set(eval(await world.value(world.root, SPAWN + "os.listdir('/dev')")))
    assert listed - {"pts", "shm", "mqueue", "fd", "core", "stdin", "stdout", "stderr", "ptmx"} <= {
        "full",
        "null",
        "random",
        "tty",
        "urandom",
        "zero",
        "console",
    }
    made = "attempt(lambda: os.mknod('disk', 0o60600, os.makedev(254, 0)))"
    assert await world.value(world.root, SPAWN + made) == "'EPERM'"


async def test_the_kernel_takes_no_orders(world):
    places = ["/proc/sysrq-trigger", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches"]
    code = f"[attempt(lambda p=p: open(p, 'w').write('b') and 'written') for p in {places}]"
    assert "written" not in await world.value(world.root, SPAWN + code)


# --- privileges ---


FORBIDDEN = [
    ("unshare", 272, "0x10000000"),
    ("unshare", 272, "0x00020000"),
    ("mount", 165, "b'none', b'/tmp', b'tmpfs', 0, 0"),
    ("setns", 308, "0, 0"),
    ("ptrace", 101, "16, 1, 0, 0"),
    ("process_vm_readv", 310, "1, 0, 0, 0, 0, 0"),
    ("bpf", 321, "0, 0, 0"),
    ("keyctl", 250, "0, 0, 0, 0, 0"),
    ("io_uring_setup", 425, "8, 0"),
    ("memfd_create", 319, "b'x', 0"),
    ("userfaultfd", 323, "0"),
    ("perf_event_open", 298, "0, 0, 0, 0, 0"),
    ("open_by_handle_at", 304, "0, 0, 0"),
    ("clone with a user namespace", 56, "0x10000000 | 17, 0, 0, 0, 0"),
    ("setuid", 105, "0"),
    ("chroot", 161, "b'/tmp'"),
    ("reboot", 169, "0, 0, 0, 0"),
    ("init_module", 175, "0, 0, 0"),
    ("shmget", 29, "0, 1 << 30, 0o1600"),
    ("x32 getpid", 0x40000000 + 39, ""),
]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="system calls by their number on x86_64")
async def test_every_forbidden_system_call_fails(world):
    calls = "\n".join(f"r[{name!r}] = call({number}, {arguments})" for name, number, arguments in FORBIDDEN)
    code = (
        "def call(*a):\n    done = libc.syscall(*a)\n    return None if done == -1 else done\n"
        f"r = {{}}\n{calls}\ndone = {{n for n, v in r.items() if v is not None}}\nassert not done, done"
    )
    async for result, _ in both(world, code.replace(", )", ")")):
        assert result.error is None, result


async def test_no_privilege_is_left(world):
    code = r"""
import re
s = open('/proc/self/status').read()
assert not any(int(c, 16) for c in re.findall(r'Cap\w+:\s+(\w+)', s)), s
assert 'NoNewPrivs:\t1' in s and 'Seccomp:\t2' in s, s
assert os.getuid() == os.geteuid() == 65532
"""
    async for result, _ in both(world, code):
        assert result.error is None, result


# --- the supervisor ---


async def test_the_supervisor_cannot_be_read_written_or_stopped(world):
    code = """
secrets = ('mem', 'environ', 'maps', 'fd/0', 'fd/1')
read = [attempt(lambda p=p: open(f'/proc/1/{p}', 'rb').read(1) and 'read') for p in secrets]
written = [attempt(lambda p=p: open(f'/proc/1/{p}', 'wb') and 'open') for p in ('mem', 'fd/1', 'oom_score_adj')]
listed = attempt(lambda: os.listdir('/proc/1/fd'))
signals = [attempt(lambda n=n: os.kill(1, n)) for n in (9, 15, 19, 11)]
assert not {'read', 'open'} & {*read, *written} and isinstance(listed, str), (read, written, listed)
"""
    async for result, _ in both(world, code):
        assert result.error is None, result


async def test_no_descriptor_is_left_open_for_anybody(world):
    """Standard streams, a cell's own socket, and the listing itself: nothing of the supervisor's."""
    listed = "print(len(__import__('os').listdir('/proc/self/fd')))"
    cell, _ = await world.cell(world.root, listed)
    program, _ = await world.tool(world.root, listed)
    assert (cell.output, program.value) == ("5\n", 4)


async def test_a_cell_cannot_write_into_another_interpreter(world):
    one = await world.after(world.root, "x = 'safe'")
    code = (
        SPAWN
        + "pids = [int(p) for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]\n"
        + "[attempt(lambda p=p: open(f'/proc/{p}/mem', 'r+b') and 'open') for p in pids]"
    )
    assert "open" not in await world.value(world.root, code)
    assert await world.value(one, "x") == "'safe'"


async def test_killing_everything_harms_no_snapshot(world):
    one = await world.after(world.root, "x = 'safe'")
    codes = [
        "os.kill(-1, 9)",
        "[attempt(lambda p=p: os.kill(p, 9)) for p in range(1, 500) if p != os.getpid()]",
        "os.killpg(0, 9)",
        "os.kill(-1, 19)",
    ]
    for code in codes:
        async for _ in both(world, code):
            assert await world.value(one, "x") == "'safe'"


async def test_deep_lines_of_cells_are_as_safe(world):
    """Landlock nests sixteen scopes at most: what dies beyond that is replayed."""
    at = await world.after(world.root, "n = 0")
    for _ in range(20):
        at = await world.after(at, "n += 1")
    await world.cell(at, SPAWN + "[attempt(lambda p=p: os.kill(p, 9)) for p in range(1, 500) if p != os.getpid()]")
    assert await world.value(at, "n") == "20"


async def test_a_lost_root_interpreter_is_survived(world):
    one = await world.after(world.root, "x = 1")
    guest = world.world._guest
    await world.cell(one, SPAWN + "[attempt(lambda p=p: os.kill(p, 9)) for p in range(2, 10)]")
    assert not guest.lost or world.world._guest is not guest
    assert await world.value(one, "x") == "1"


async def test_closing_every_descriptor_is_survived(world):
    result, after = await world.cell(world.root, "import os; os.closerange(0, 1024)")
    assert (result.error, after) == ("killed", world.root)


FRAMES = [
    "b'\\xff\\xff\\xff\\xff'",
    "b'\\x00\\x00\\x00\\x04nope'",
    "b'\\x00\\x00\\x00\\x02[]'",
    "frame({'cell': 7})",
    "frame({'cell': {'error': 'no such word', 'value': {}, 'detail': 3}, 'notes': 5})",
    "frame({'cell': {'error': None, 'value': 'v' * 100_000_000, 'detail': ''}})",
    "frame({'hello': True}) * 1000",
    "frame({'forked': 1}) * 1000",
    "frame({'reaped': True}) + frame({'configured': True})",
    "b'[' * 1_000_000",
    "b'\\x00\\x01\\x00\\x00' + b'[' * 65536",
]


async def test_forged_and_oversized_frames_change_nothing(world):
    one = await world.after(world.root, "x = 'safe'")
    for frame in FRAMES:
        forge = (
            "import json, socket, os, struct\n"
            "def frame(m): b = json.dumps(m).encode(); return struct.pack('>I', len(b)) + b\n"
            "for fd in range(3, 64):\n"
            "    try: s = socket.socket(fileno=fd)\n"
            "    except OSError: continue\n"
            f"    s.settimeout(1); s.sendall({frame})\n"
        )
        await world.cell(world.root, forge, wall_s=2.0)
        assert await world.value(one, "x") == "'safe'", frame


async def test_code_that_breaks_its_own_interpreter_harms_its_own_line_alone(world):
    hijack = (
        "import sys\n"
        "frame = sys._getframe()\n"
        "while '_control' not in dir(frame.f_locals.get('self')): frame = frame.f_back\n"
        "def broken(fds): raise OSError('no')\n"
        "frame.f_locals['self']._do['fork'] = broken\n"
        "del frame"
    )
    safe = await world.after(world.root, "x = 'safe'")
    bad = await world.after(world.root, hijack)
    for _ in range(2):
        result, after = await world.cell(bad, "1", wall_s=1.0)
        assert (result.error, after) == ("killed", bad)
    assert await world.value(safe, "x") == "'safe'"


async def test_frames_cannot_be_forged_on_the_hosts_channel(world):
    code = 'for fd in range(0, 3):\n    attempt(lambda: os.write(fd, b\'\\x00\\x00\\x00\\x10{"id":1,"x":[1]}\'))'
    async for result, _ in both(world, code):
        assert result.error in (None, "protocol")


async def test_the_workspace_itself_can_be_destroyed(world):
    for code in (
        "import shutil, os; shutil.rmtree(os.getcwd(), ignore_errors=True)",
        "import os; d = os.getcwd(); os.rename(d, d + '2'); os.symlink('/', d)",
        "import os; os.rename(os.path.dirname(os.getcwd()), '/slots/gone')",
        "import os\nfor i in range(9):\n    if not os.path.lexists(f'/slots/{i}'): os.symlink('/etc', f'/slots/{i}')",
        "import os; os.chmod('.', 0)",
    ):
        result, _ = await world.cell(world.root, code)
        assert result.error in (None, "killed"), result
        assert await world.value(world.root, "open('seed.txt').read()") == "'seed\\n'"


ESCAPES = {
    "a grandchild whose parent has gone": "if os.fork() == 0:\n    if os.fork(): os._exit(0)\n    time.sleep(60)",
    "a grandchild that nobody adopts": (
        "libc.prctl(36, 0, 0, 0, 0)\n"
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    time.sleep(60)"
    ),
    "a child of the snapshot itself": (
        "def leave():\n    global left\n    if not left:\n"
        "        left = True\n        if os.fork() == 0: time.sleep(60)\n"
        "left = False; os.register_at_fork(before=leave)"
    ),
    "a stopped one": "if os.fork() == 0: os.kill(os.getpid(), signal.SIGSTOP)",
    "one with a socket of its own": "a, b = socket.socketpair()\nif os.fork() == 0: a.close(); b.recv(1)",
}


@pytest.mark.parametrize("escape", ESCAPES)
async def test_nothing_that_a_cell_starts_outlives_it(world, escape):
    result, after = await world.cell(world.root, SPAWN + ESCAPES[escape])
    for _ in range(3):
        result, after = await world.cell(after, "1")
        assert result.error is None, result
    await asyncio.sleep(0.2)
    count = "len([p for p in os.listdir('/proc') if p.isdigit() and open(f'/proc/{p}/stat').read().split()[2] != 'Z'])"
    found = int(await world.value(world.root, f"import os\n{count}"))
    assert found <= 8, escape  # process 1, the root, five snapshots, and the one that counts


async def test_no_process_can_refuse_its_orphans(world):
    code = "r = libc.prctl(36, 0, 0, 0, 0), ctypes.get_errno()\nassert r == (-1, errno.EPERM), r"
    async for result, _ in both(world, code):
        assert result.error is None, result


async def test_attacks_leave_no_process_on_the_host(world):
    await world.cell(
        world.root,
        SPAWN
        + "sleep = [sys.executable, '-c', 'import time; time.sleep(1234)']\n"
        + "for _ in range(5): subprocess.Popen(sleep, start_new_session=True)",
    )
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if b"time.sleep(1234)" in _text(p)]


def _text(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""

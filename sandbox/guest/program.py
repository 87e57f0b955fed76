"""Start a tool that is an ordinary program: JSON on stdin, JSON on stdout, in the workspace, under hard limits."""

import math
import os
import resource
import sys

from guest import kernel


def start(slot, program, arguments, limits, settings):
    """Fork and execute. The process id, and the reading ends of its stdout and stderr."""
    path = f"{slot.tool}/run.py"
    _write(path, program)
    stdin = _write(f"{slot.tool}/stdin", arguments)
    os.unlink(f"{slot.tool}/stdin")  # a suite must not lie where the code under test could read it
    out_r, out_w = os.pipe()
    err_r, err_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _become(slot, path, (stdin, out_w, err_w), limits, settings)
        finally:
            os._exit(127)
    for fd in (stdin, out_w, err_w):
        os.close(fd)
    return pid, out_r, err_r


def _become(slot, path, streams, limits, settings):
    os.setsid()
    os.chdir(slot.files)
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    os.nice(settings["nice"])
    kernel.bound(limits, hard=True)
    seconds = math.ceil(limits["cpu_s"])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    kernel.adopt_orphans()
    kernel.renounce_privileges()
    kernel.scope_signals()
    if settings["filter"]:
        kernel.filter_syscalls(bytes.fromhex(settings["filter"]))
    environment = {**os.environ, "TMPDIR": slot.tmp, "PWD": "/workspace"}
    os.execve(sys.executable, [sys.executable, "-s", "-P", "-B", path], environment)


def _write(path, content):
    """Write a file; a descriptor that reads it from its start."""
    with open(path, "xb") as file:
        file.write(content)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

"""Start a tool that is an ordinary program: JSON on stdin, JSON on stdout, in the workspace, under hard limits."""

import math
import os
import resource
import sys

from guest import kernel


def start(slot, program, arguments, limits, settings):
    """Fork and execute. The process id, and the reading ends of its stdout and stderr."""
    path = f"{slot.tool}/run.py"
    with open(path, "xb") as file:
        file.write(program)
    stdin = unseen(f"{slot.tool}/stdin", arguments)
    out_r, out_w = os.pipe()
    err_r, err_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            confine(slot.files, slot.tmp, (stdin, out_w, err_w), limits, settings)
            os.execve(sys.executable, [sys.executable, "-s", "-P", "-B", path], os.environ)
        finally:
            os._exit(127)
    for fd in (stdin, out_w, err_w):
        os.close(fd)
    return pid, out_r, err_r


def confine(files, tmp, streams, limits, settings):
    """Let this process be the program of a call: in its folder, with its streams, under its limits for good."""
    os.setsid()
    os.chdir(files)
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
    os.environ.update(TMPDIR=tmp, PWD="/workspace")


def unseen(path, content):
    """A descriptor that reads `content`. Its file has no name any more: a suite must not lie where the code under test
    could read it."""
    with open(path, "xb") as file:
        file.write(content)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.unlink(path)
    return fd

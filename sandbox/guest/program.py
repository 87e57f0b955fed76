"""Start a tool that is an ordinary program: JSON on stdin, JSON on stdout, in the workspace, under hard limits."""

import contextlib
import math
import os
import resource
import sys

from guest import kernel


@contextlib.contextmanager
def streams(slot, arguments):
    """What a program gets as stdin, stdout and stderr, and where the supervisor reads the last two. Afterwards the
    program's are closed; so are the supervisor's where something went wrong. Raises OSError."""
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        given, read = [unseen(f"{slot.tool}/stdin", arguments)], []
        theirs.callback(os.close, given[0])
        for _ in range(2):
            reading, writing = os.pipe()
            ours.callback(os.close, reading)
            theirs.callback(os.close, writing)
            read.append(reading)
            given.append(writing)
        yield given, read
        ours.pop_all()


def start(slot, streams, program, limits, settings):
    """Fork and execute; the process id."""
    path = f"{slot.tool}/run.py"
    with open(path, "xb") as file:
        file.write(program)
    pid = os.fork()
    if pid == 0:
        try:
            confine(slot.files, slot.tmp, streams, limits, settings)
            os.execve(sys.executable, [sys.executable, "-s", "-P", "-B", path], os.environ)
        finally:
            os._exit(127)
    return pid


def confine(files, tmp, streams, limits, settings):
    """Let this process be the program of a call: in its folder, with its streams, under its limits for good."""
    os.setsid()
    os.chdir(files)
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    os.nice(settings["nice"])
    kernel.bound(*kernel.bounds(limits), hard=True)
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

"""A program that is called often, loaded once: each call is a fork of a process that holds it and has run nothing else.
That process is its parent, so that it is asked for how a call ended.

Such a program defines `main`, does nothing when it is imported, and may define `warm`, which loads what it will need.
Until it is loaded, calls start it the long way.
"""

import contextlib
import errno
import gc
import importlib.abc
import importlib.util
import io
import json
import os
import signal
import socket
import struct
import sys
import traceback
import types

from guest import kernel, program

_PATIENCE_S = 5.0
_REQUEST = 1 << 20
_ENDING = struct.Struct("id")
_HOME = os.path.dirname(os.path.dirname(__file__))
_SERVE = f"import sys; sys.path.append({_HOME!r}); from guest import warm; sys.path.pop(); warm.serve()"


class Warm:
    """The supervisor's side. Raises OSError where it cannot be started or has gone."""

    def __init__(self, content, settings):
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._settings, self._ready = settings, False
        with theirs:
            self.pid = os.fork()
            if not self.pid:
                try:
                    os.dup2(theirs.fileno(), 0)
                    os.execve(sys.executable, [sys.executable, "-s", "-P", "-B", "-c", _SERVE], os.environ)
                finally:
                    os._exit(127)
        self._socket.settimeout(_PATIENCE_S)
        self._socket.send(json.dumps(modules(content)).encode())

    def ready(self):
        """Whether it can be forked by now."""
        if not self._ready:
            try:
                self._ready = bool(self._socket.recv(1, socket.MSG_DONTWAIT))
            except BlockingIOError:
                return False
        return self._ready

    def start(self, slot, streams, limits):
        """Fork; the process id."""
        request = {"files": slot.files, "tmp": slot.tmp, "limits": limits, "settings": self._settings}
        socket.send_fds(self._socket, [json.dumps(request).encode()], streams)
        pid = int.from_bytes(self._socket.recv(4), "big")
        if not pid:
            raise BlockingIOError(errno.EAGAIN, "there is no room for another process")
        return pid

    def ending(self, pid):
        """Wait status and CPU seconds of a call whose process is dead, or is just being killed."""
        try:
            self._socket.send(json.dumps({"ended": pid}).encode())
            return _ENDING.unpack(self._socket.recv(_ENDING.size))
        except (OSError, struct.error):  # something has killed or stopped it: it is not to be asked again
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            return signal.SIGKILL, 0.0

    def close(self):
        self._socket.close()


class Archive(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the modules of a program from memory: what lies in a folder could be exchanged by other code."""

    def __init__(self, sources):
        self._sources = sources

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name in self._sources else None

    def get_source(self, name):
        return self._sources[name]


def modules(content):
    """Name -> source of a program's modules."""
    import zipfile  # the supervisor's need alone

    if not zipfile.is_zipfile(io.BytesIO(content)):
        return {"__main__": content.decode()}
    with zipfile.ZipFile(io.BytesIO(content)) as files:
        return {name.removesuffix(".py"): files.read(name).decode() for name in files.namelist()}


def serve():
    """The life of the process that holds the program."""
    control = socket.socket(fileno=os.dup(0))
    kernel.hide()
    quiet = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(quiet, fd)
    os.close(quiet)
    main = load(control.recv(_REQUEST))
    gc.collect()
    gc.freeze()
    control.send(b"\1")
    while True:
        data, fds, _, _ = socket.recv_fds(control, _REQUEST, 3)
        if not data:
            os._exit(0)
        request = json.loads(data)
        if "ended" in request:
            _, status, used = os.wait4(request["ended"], 0)
            control.send(_ENDING.pack(status, used.ru_utime + used.ru_stime))
            continue
        try:
            child = os.fork()
        except OSError:  # no room for another process
            child = 0
        else:
            if not child:
                become(main, control, request, fds)
        control.send(child.to_bytes(4, "big"))
        for fd in fds:
            os.close(fd)


def load(content):
    """The program's module, imported under another name than `__main__`."""
    archive = Archive(json.loads(content))
    sys.meta_path.insert(0, archive)
    main = types.ModuleType("__main__")
    main.__name__ = "__loaded__"
    exec(archive.get_code("__main__"), main.__dict__)
    main.__dict__.get("warm", int)()
    main.__name__ = "__main__"
    return main


def become(main, control, request, streams):
    """Confine this process and run the program in it."""
    code = 1
    try:
        control.close()
        program.confine(request["files"], request["tmp"], streams, request["limits"], request["settings"])
        for fd in streams:
            os.close(fd)
        sys.modules["__main__"] = main
        main.main()
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter itself would
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

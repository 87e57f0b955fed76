"""A program that is called often, loaded once: each call is a fork of a process that holds it and has run nothing else.

Such a program defines `main`, does nothing when it is imported, and may define `warm`, which loads what it will need.
Until it is loaded, calls start it the long way.
"""

import gc
import importlib.abc
import importlib.util
import io
import json
import os
import socket
import sys
import traceback
import types

from guest import kernel, program

_PATIENCE_S = 5.0
_REQUEST = 1 << 20
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

    def start(self, slot, arguments, limits):
        """As `program.start`."""
        stdin = program.unseen(f"{slot.tool}/stdin", arguments)
        (out_r, out_w), (err_r, err_w) = os.pipe(), os.pipe()
        request = {"files": slot.files, "tmp": slot.tmp, "limits": limits, "settings": self._settings}
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], [stdin, out_w, err_w])
            pid = int.from_bytes(self._socket.recv(4), "big")
        finally:
            for fd in (stdin, out_w, err_w):
                os.close(fd)
        if not pid:
            raise BlockingIOError("there is no room for another process")
        return pid, out_r, err_r

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
        if os.fork() == 0:
            become(main, control, json.loads(data), fds)
        os.wait()
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
    """Fork once more, so that the supervisor is the parent; confine what was born; run the program in it."""
    code = 1
    try:
        try:
            child = os.fork()
        except OSError:
            control.send(bytes(4))
            os._exit(1)
        if child:
            os._exit(0)
        control.send(os.getpid().to_bytes(4, "big"))
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

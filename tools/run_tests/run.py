"""Run a test suite on the files of this directory: JSON on stdin, JSON on stdout, standard library and pytest only.

    {"runner": "pytest"|"unittest"|"asserts", "files": {path: base64}, "targets": [...], "asserts": [...], "setup": "",
     "module": "solution", "limits": {"test_s": 5, "total_s": 20}}
 -> {"tests": [{"name", "outcome", "message"}], "error": "", "trust": "weak"|"strong"}

The supervisor (this process) restores the suite's files, holds the answer's descriptor and every deadline, and runs no
code of others. A worker, forked from it, runs the tests in order and tells each start and end through a pipe; when a
test hangs or ends its process, that test has its outcome and a new worker goes on with the rest.

`pytest` and `unittest` run the candidate inside the worker, where hostile code can forge results: trust is weak. For
`asserts` the candidate is a third process, forked from a zygote before the suite was read. Calls reach it as plain
values, nothing that it defines runs where a comparison is made, and it holds no descriptor on which a result could be
written: trust is strong. It can still kill what runs it, which never counts as passed.
"""

import base64
import contextlib
import functools
import importlib
import json
import os
import select
import signal
import sys
import time

from _candidate import Zygote, silence
from _describing import describe, headline, root
from _ending import PATIENCE, TimeLimit, too_slow

GRACE_S = 0.5
"""What a test may take beyond its own alarm before its worker is killed."""
WORKER_BYTES = 64 * 2**20
"""What a worker may write into the channel of its results."""


def warm():
    """Load what lists of asserts need, where this program is held loaded: what others need costs time at every fork."""
    importlib.import_module("_with_asserts")


def main():
    root()
    hardened = undumpable() and os.geteuid() != 0
    zygote = Zygote()
    suite = Suite(json.load(sys.stdin))
    answer = os.dup(1)
    silence()
    tests, error = suite.run(zygote, answer)
    strong = hardened and suite.runner == "asserts" and not error
    with os.fdopen(answer, "w") as out:
        json.dump({"tests": tests, "error": error, "trust": "strong" if strong else "weak"}, out)


class Suite:
    """The request, and how it is run: workers one after the other until every test has an outcome."""

    def __init__(self, request):
        self.runner = request["runner"]
        self.files = {path: base64.b64decode(data) for path, data in request.get("files", {}).items()}
        self.targets = request.get("targets", [])
        self.asserts = request.get("asserts", [])
        self.setup = request.get("setup", "")
        self.module = request.get("module", "solution")
        limits = request.get("limits", {})
        self.test_s, self.total_s = limits.get("test_s", 5), limits.get("total_s", 20)

    def run(self, zygote, answer):
        """Rows of all tests, and why there are none."""
        deadline = time.monotonic() + self.total_s
        progress = Progress()
        try:
            work = importlib.import_module(f"_with_{self.runner}").run
            while True:
                before = len(progress.outcomes)
                self.restore()
                progress.follow(Worker(work, self, set(progress.outcomes), zygote, answer), deadline)
                if progress.error or not progress.left or len(progress.outcomes) == before:
                    break
        except (OSError, ImportError) as error:
            progress.take(["error", f"the tests cannot be run here: {headline(error)}"])
        return progress.rows(), progress.error

    def restore(self):
        """Put the suite's files back, and take away compiled files that a candidate could have left in their place."""
        sys.dont_write_bytecode = True
        for folder in {"", *map(os.path.dirname, self.files)}:
            compiled = os.path.join(root(), folder, "__pycache__")
            if os.path.lexists(compiled):
                remove(compiled)
        for path, data in self.files.items():
            target = os.path.normpath(os.path.join(root(), path))
            if not target.startswith(root() + os.sep):
                raise OSError(f"{path} is not inside the workspace")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.islink(target):
                os.unlink(target)
            with open(target, "wb") as out:
                out.write(data)


class Progress:
    """What the workers have told so far."""

    def __init__(self):
        self.names, self.outcomes, self.running, self.why, self.error = [], {}, None, "", ""

    @property
    def left(self):
        return [name for name in self.names if name not in self.outcomes]

    def follow(self, worker, deadline):
        """Read a worker's events until it ends or must be killed; a test that it leaves running has its outcome."""
        outcome, self.why = "error", ""
        try:
            for line in worker.lines(deadline):
                key, *event = json.loads(line)
                if key == worker.key:
                    self.take(event)
        except TimeLimit as limit:
            outcome, self.why = "timeout", str(limit)
        except (TypeError, ValueError):
            self.why = "the tests wrote into the channel of their results"
        ended = worker.kill()
        self.why = self.why or ended
        if self.running is not None:
            self.outcomes[self.running] = (outcome, self.why)
            self.running = None
        elif not self.names and not self.error:
            self.error = f"the tests could not be loaded: {self.why}"
        if time.monotonic() >= deadline:
            self.outcomes |= dict.fromkeys(self.left, ("timeout", "not run: the suite's time was used up"))

    def take(self, event):
        match event:
            case ["collected", [*names]]:
                self.names = self.names or list(map(str, names))
            case ["start", str(name)]:
                self.running = name
            case ["end", str(name), str(outcome), str(message)]:
                self.outcomes[name] = (outcome, message)
                self.running = None
                if name not in self.names:
                    self.names.append(name)
            case ["error", str(message)] if not self.names:
                self.error = message
            case ["error" | "died", str(message)]:
                self.why = message

    def rows(self):
        lost = ("error", f"not run: {self.why or 'the suite ended before it'}")
        rows = [(name, *self.outcomes.get(name, lost)) for name in self.names]
        return [{"name": name, "outcome": outcome, "message": message} for name, outcome, message in rows]


class Worker:
    """A forked process that runs tests; for `asserts` also the candidate's process that it talks to."""

    def __init__(self, work, suite, done, zygote, answer):
        self.test_s = suite.test_s
        self.key = os.urandom(8).hex()
        peer, self.candidate = zygote.spawn(suite.module, suite.test_s) if suite.runner == "asserts" else (None, 0)
        self.events, inner = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(inner)
            if peer:
                peer.socket.close()
            return
        try:
            os.setsid()
            for held in (answer, self.events, zygote.socket.fileno()):
                os.close(held)
            tell = functools.partial(write_event, inner, os.getpid(), self.key)
            work(suite, done, tell, peer)
        except BaseException as error:  # noqa: BLE001 - the candidate's code may raise anything, here it becomes a word
            tell("died", describe(error, suite.files))
        finally:
            os._exit(0)

    def lines(self, deadline):
        """Events as they come. Raises `TimeLimit` when none came, after the first, for as long as one test may take."""
        rest, size, last, used = b"", 0, deadline, 0.0
        while True:
            now = time.monotonic()
            if now >= deadline:
                raise TimeLimit("did not end before the suite's time was used up")
            if now >= last + PATIENCE * self.test_s + GRACE_S:
                raise TimeLimit(too_slow(PATIENCE * self.test_s))
            if last < deadline and self.cpu_s() >= used + self.test_s + GRACE_S:
                raise TimeLimit(too_slow(self.test_s))
            ended = self.ended()
            if not select.select([self.events], [], [], 0 if ended else 0.05)[0]:
                if ended:
                    return
                continue
            chunk = os.read(self.events, 65536)
            size += len(chunk)
            if not chunk or size > WORKER_BYTES:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                last, used = time.monotonic(), self.cpu_s()
            yield from lines

    def ended(self):
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def cpu_s(self):
        """CPU time of the worker and its candidate so far."""
        return sum(map(cpu_seconds, filter(None, (self.pid, self.candidate))))

    def kill(self):
        """End the worker and its candidate; says how the worker had ended."""
        until = time.monotonic() + 0.01  # its channel may close a moment before it ends
        while not self.ended() and time.monotonic() < until:
            time.sleep(0.0005)
        for pid in filter(None, (self.pid, self.candidate)):
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)
        os.close(self.events)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"the process ended in the middle of it ({how})"


def remove(path):
    """Whatever is there, without following a link."""
    import shutil

    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)


def cpu_seconds(pid):
    """CPU time of all threads of a process, 0 when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def write_event(pipe, pid, *event):
    """Only from the worker itself: a test may fork, and its child go on with the suite."""
    if os.getpid() == pid:
        os.write(pipe, json.dumps(event).encode() + b"\n")


def undumpable():
    """Forbid other processes of this user to read this one and what it forks; False where the system cannot."""
    try:
        import ctypes

        return ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
    except (ImportError, OSError, AttributeError):
        return False


if __name__ == "__main__":
    main()

"""Run a test suite on the files of this directory: JSON on stdin, JSON on stdout, standard library and pytest only.

    {"runner": "pytest"|"unittest"|"asserts", "files": {path: base64}, "targets": [...], "asserts": [...], "setup": "",
     "module": "solution", "first": [...], "limits": {"test_s": 5, "total_s": 20}}
 -> {"tests": [{"name", "outcome", "message"}], "error": "", "trust": "weak"|"strong"}

This process restores the suite's files, holds the answer's descriptor and every deadline, and runs no code of the
candidate. When a test hangs or ends a process, that test has its outcome and a new process goes on with the rest.
Tests that are named in `first` begin, and where one of these does not pass, the rest is not run.

For `asserts` the candidate is a process of its own, forked from a zygote before the suite was read; statements run
here. Calls reach the candidate as plain values, nothing that it defines runs where a comparison is made, and it holds
no descriptor on which a result could be written: trust is strong. It can still kill what runs it, which never counts
as passed. `pytest` and `unittest` run the candidate inside a worker, which tells each start and end of a test through
a pipe; hostile code can forge results there: trust is weak.
"""

import base64
import functools
import importlib
import json
import os
import select
import sys
import time

from _candidate import Zygote, end, silence
from _describing import describe, headline, root
from _ending import TimeLimit, Watch

WORKER_BYTES = 64 * 2**20
"""What a worker may write into the channel of its results."""


def warm():
    """Load what lists of asserts need, where this program is held loaded: what others need costs time at every fork."""
    importlib.import_module("_with_asserts")
    c_library()


def main():
    root()
    hardened = undumpable() and os.geteuid() != 0
    zygote = Zygote()
    suite = Suite(json.load(sys.stdin))
    answer = os.dup(1)
    silence()
    tests, error = suite.run(zygote, answer)
    strong = hardened and suite.runner == "asserts" and not error
    zygote.close()
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
        self.first = frozenset(request.get("first", []))
        limits = request.get("limits", {})
        self.test_s, self.total_s = limits.get("test_s", 5), limits.get("total_s", 20)

    def run(self, zygote, answer):
        """Rows of all tests, and why there are none."""
        deadline = time.monotonic() + self.total_s
        progress = Progress(self.first)
        try:
            work = importlib.import_module(f"_with_{self.runner}").run
            while True:
                before = len(progress.outcomes)
                self.restore()
                if self.runner == "asserts":
                    progress.judge(work, self, zygote, deadline)
                else:
                    progress.follow(Worker(work, self, set(progress.outcomes), zygote, answer), deadline)
                if progress.error or progress.enough or not progress.left or len(progress.outcomes) == before:
                    break
        except (OSError, ImportError) as error:
            progress.take(["error", f"the tests cannot be run here: {headline(error)}"])
        return progress.rows(), progress.error

    def later(self, name):
        """What tests are sorted by."""
        return name not in self.first

    def restore(self):
        """Put the suite's files back, read-only, and take away compiled files that could stand in their place."""
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
            if os.path.lexists(target):
                remove(target)
            with open(target, "xb") as out:
                out.write(data)
                os.fchmod(out.fileno(), 0o444)


class Progress:
    """What the workers have told so far."""

    def __init__(self, first):
        self.names, self.outcomes, self.running, self.why, self.error = [], {}, None, "", ""
        self.first = first

    @property
    def left(self):
        return [name for name in self.names if name not in self.outcomes]

    @property
    def enough(self):
        """Whether one that was to begin did not pass."""
        return any(self.outcomes.get(name, ("passed",))[0] not in ("passed", "skipped") for name in self.first)

    def follow(self, worker, deadline):
        """Read a worker's events until it ends or must be killed; a test that it leaves running has its outcome."""
        outcome, self.why = "error", ""
        try:
            for line in worker.lines(deadline):
                key, *event = json.loads(line)
                if key == worker.key and self.take(event):
                    break
        except TimeLimit as limit:
            outcome, self.why = "timeout", str(limit)
        except (TypeError, ValueError):
            self.why = "the tests wrote into the channel of their results"
        ended = worker.kill()
        self.why = self.why or ended
        self.settle(outcome, deadline)

    def judge(self, work, suite, zygote, deadline):
        """Run the tests in this process, against a candidate of their own, until it is gone."""
        self.why = ""
        peer, candidate = zygote.spawn(suite.module, suite.test_s)
        watch = peer.watch = Watch((candidate,), suite.test_s, deadline)
        try:
            with watch:
                work(suite, set(self.outcomes), lambda *event: watch.again() or self.take(event), peer)
        except BaseException as error:  # noqa: BLE001 - what the tests raise where nobody asked for it is a word
            self.why = describe(error, suite.files)
        finally:
            peer.socket.close()
            end(candidate)
        self.settle("timeout" if watch.over else "error", deadline)

    def settle(self, outcome, deadline):
        """A process is gone; a test that it left running has its outcome."""
        if self.running is not None:
            self.outcomes[self.running] = (outcome, self.why)
            self.running = None
        elif not self.names and not self.error:
            self.error = f"the tests could not be loaded: {self.why}"
        if time.monotonic() >= deadline:
            self.outcomes |= dict.fromkeys(self.left, ("timeout", "not run: the suite's time was used up"))

    def take(self, event):
        """Whether no more need be told."""
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
        return self.enough

    def rows(self):
        lost = ("error", f"not run: {self.why or 'the suite ended before it'}")
        if self.enough:
            lost = ("skipped", "not run: what others failed was failed here too")
        rows = [(name, *self.outcomes.get(name, lost)) for name in self.names]
        return [{"name": name, "outcome": outcome, "message": message} for name, outcome, message in rows]


class Worker:
    """A forked process that runs tests, and the candidate with them."""

    def __init__(self, work, suite, done, zygote, answer):
        self.test_s = suite.test_s
        self.key = os.urandom(8).hex()
        self.events, inner = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(inner)
            return
        try:
            os.setsid()
            for held in (answer, self.events, zygote.socket.fileno()):
                os.close(held)
            tell = functools.partial(write_event, inner, os.getpid(), self.key)
            work(suite, done, tell, None)
        except BaseException as error:  # noqa: BLE001 - the candidate's code may raise anything, here it becomes a word
            tell("died", describe(error, suite.files))
        finally:
            os._exit(0)

    def lines(self, deadline):
        """Events as they come. Raises `TimeLimit` when none came, after the first, for as long as one test may take."""
        rest, size, watch, begun = b"", 0, Watch((self.pid,), self.test_s, deadline), False
        while True:
            watch.check() if begun else watch.check_deadline()
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
                begun = True
                watch.again()
            yield from lines

    def ended(self):
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def kill(self):
        """End the worker; says how it had ended."""
        until = time.monotonic() + 0.01  # its channel may close a moment before it ends
        while not self.ended() and time.monotonic() < until:
            time.sleep(0.0005)
        end(self.pid)
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


def write_event(pipe, pid, *event):
    """Only from the worker itself: a test may fork, and its child go on with the suite."""
    if os.getpid() == pid:
        os.write(pipe, json.dumps(event).encode() + b"\n")


def undumpable():
    """Forbid other processes of this user to read this one and what it forks; False where the system cannot."""
    try:
        return c_library().prctl(4, 0, 0, 0, 0) == 0
    except (ImportError, OSError, AttributeError):
        return False


@functools.cache
def c_library():
    import ctypes

    return ctypes.CDLL(None)


if __name__ == "__main__":
    main()

"""How a test can end other than by its own exception, and the clocks that end one that is too slow."""

import signal
import time

PATIENCE = 4
"""How many times its seconds of CPU time a test may take by the clock: a busy machine changes no verdict."""
GRACE_S = 0.5
"""What a test may take beyond its own alarm before its process is killed."""

_LOOK_S = 0.1


class TimeLimit(BaseException):
    """A test took too long. Not an `Exception`, so that the usual handlers of a candidate let it through."""


class Gone(Exception):
    """The candidate's process ended, or sent what it must not."""


class Unmet(AssertionError):
    """What an assert claims does not hold."""


class Watch:
    """Looks at the clock, and at the CPU time of other processes, while a test runs in them. `over`, why, once it has
    raised: then nothing more can be expected of them. While it is entered, an alarm has it look by itself."""

    def __init__(self, pids, test_s, deadline):
        self.pids, self.test_s, self.deadline, self.over = pids, test_s, deadline, ""
        self.again()

    def again(self):
        """The next test begins."""
        self.began, self.used = time.monotonic(), self.cpu_s()

    def cpu_s(self):
        return sum(map(cpu_seconds, self.pids))

    def check(self):
        """Raise `TimeLimit` when the test, or all of them together, took too long."""
        self.check_deadline()
        if time.monotonic() >= self.began + PATIENCE * self.test_s + GRACE_S:
            self.end(too_slow(PATIENCE * self.test_s))
        if self.cpu_s() >= self.used + self.test_s + GRACE_S:
            self.end(too_slow(self.test_s))

    def check_deadline(self):
        if time.monotonic() >= self.deadline:
            self.end("did not end before the suite's time was used up")

    def end(self, why):
        self.over = why
        raise TimeLimit(why)

    def __enter__(self):
        signal.signal(signal.SIGALRM, lambda *_: self.check())
        signal.setitimer(signal.ITIMER_REAL, _LOOK_S, _LOOK_S)

    def __exit__(self, *problem):
        signal.setitimer(signal.ITIMER_REAL, 0)


def alarm(seconds):
    """Raise `TimeLimit` here after `seconds` of CPU time, or `PATIENCE` times as long by the clock; 0 takes it back.
    Endless loops in C are left to who watches this process."""

    def ring(number, _frame):
        raise TimeLimit(too_slow(seconds if number == signal.SIGPROF else PATIENCE * seconds))

    for number, timer, after in (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds),
        (signal.SIGALRM, signal.ITIMER_REAL, PATIENCE * seconds),
    ):
        signal.signal(number, ring)
        signal.setitimer(timer, after)


def cpu_seconds(pid):
    """CPU time of all threads of a process, 0 when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def too_slow(seconds):
    return f"did not finish within {seconds:g} s"

"""How a test can end other than by its own exception, and the clock that ends one that is too slow."""

import signal

PATIENCE = 4
"""How many times its seconds of CPU time a test may take by the clock: a busy machine changes no verdict."""


class TimeLimit(BaseException):
    """A test took too long. Not an `Exception`, so that the usual handlers of a candidate let it through."""


class Gone(Exception):
    """The candidate's process ended, or sent what it must not."""


class Unmet(AssertionError):
    """What an assert claims does not hold."""


def alarm(seconds):
    """Raise `TimeLimit` here after `seconds` of CPU time, or `PATIENCE` times as long by the clock; 0 takes it back.
    Endless loops in C are left to the supervisor."""

    def ring(number, _frame):
        raise TimeLimit(too_slow(seconds if number == signal.SIGPROF else PATIENCE * seconds))

    for number, timer, after in (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds),
        (signal.SIGALRM, signal.ITIMER_REAL, PATIENCE * seconds),
    ):
        signal.signal(number, ring)
        signal.setitimer(timer, after)


def too_slow(seconds):
    return f"did not finish within {seconds:g} s"

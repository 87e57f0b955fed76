"""How a test can end other than by its own exception, and the clock that ends one that is too slow."""

import signal


class TimeLimit(BaseException):
    """A test took too long. Not an `Exception`, so that the usual handlers of a candidate let it through."""


class Gone(Exception):
    """The candidate's process ended, or sent what it must not."""


class Unmet(AssertionError):
    """What an assert claims does not hold."""


def alarm(seconds):
    """Raise `TimeLimit` here after `seconds`; 0 takes it back. Endless loops in C are left to the supervisor."""

    def ring(_signal, _frame):
        raise TimeLimit(f"did not finish within {seconds:g} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)

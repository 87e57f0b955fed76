"""The clock of one test, inside the process that runs it."""

import signal


class TimeLimit(BaseException):
    """A test took too long. Not an `Exception`, so that the usual handlers of a candidate let it through."""


def alarm(seconds):
    """Raise `TimeLimit` here after `seconds`; 0 takes it back. Endless loops in C are left to the supervisor."""

    def ring(_signal, _frame):
        raise TimeLimit(f"did not finish within {seconds:g} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)

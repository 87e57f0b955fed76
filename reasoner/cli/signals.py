"""Ctrl-C and its like: the first ends the work in order, the second at once."""

import asyncio
import signal

from reasoner.cli.exits import INTERRUPTED
from reasoner.cli.screen import Screen

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Turns a signal into the cancellation of a task, so that all it opened is closed."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.code = INTERRUPTED
        """What the process is to return: 128 and the signal."""

    def cancel_this_task(self) -> None:
        """Listen from now on, until the event loop ends."""
        whole = asyncio.current_task()
        assert whole is not None
        loop = asyncio.get_running_loop()

        def end(number: int) -> None:
            if whole.cancelling():
                raise KeyboardInterrupt
            self.code = 128 + number
            self._screen.say("stopping")
            whole.cancel()

        for number in _ENDING:
            loop.add_signal_handler(number, end, number)

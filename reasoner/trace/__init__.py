"""What happened, as versioned events: the REPL and the live view listen to them, JSONL keeps them, a Tree is rebuilt
from them. One event a line; a line that was cut by a crash ends the trace, and everything before it is good.

events      the events, and each as a line
recorder    appends them to a file that one process at a time may write
reading     reads a file back: the tree, what was spent, what was still growing
"""

from reasoner.trace.events import (
    VERSION,
    Added,
    Began,
    Checked,
    Dropped,
    Entered,
    Entry,
    Event,
    Finished,
    Grew,
    Heard,
    Listener,
    Opened,
    Redone,
    Resumed,
    Stopped,
    Wrote,
    decode,
    encode,
)
from reasoner.trace.reading import Trace, read
from reasoner.trace.recorder import Recorder, is_written

__all__ = [
    "VERSION",
    "Added",
    "Began",
    "Checked",
    "Dropped",
    "Entered",
    "Entry",
    "Event",
    "Finished",
    "Grew",
    "Heard",
    "Listener",
    "Opened",
    "Recorder",
    "Redone",
    "Resumed",
    "Stopped",
    "Trace",
    "Wrote",
    "decode",
    "encode",
    "is_written",
    "read",
]

"""Text from outside, made safe for a terminal: no escape sequence, no control character, no invisible re-ordering.

A model's code, a test's message and a file's name may hold sequences that move the cursor, rename the window or write
to the clipboard. Nothing of them is shown before it went through here.
"""

import re
import unicodedata

_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|[ -/]*[0-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|[\x90\x98\x9d-\x9f][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
)
_EXCEPTION = re.compile(r"\s*(?:E\s+)?[\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b")
_TAB = 4


def printable(text: str) -> str:
    """`text` with line ends as `\\n`, tabs as blanks, and everything that a terminal would obey left out."""
    text = _SEQUENCE.sub("", text.replace("\r\n", "\n"))
    if text.isascii() and text.isprintable():
        return text
    return "".join(char for char in text.expandtabs(_TAB) if char == "\n" or not _unseen(char))


def one_line(text: str, width: int | None) -> str:
    """The first line of `text` that says something, printable, cut to `width` characters if there is one."""
    line = next((line.strip() for line in printable(text).splitlines() if line.strip()), "")
    return line if width is None or len(line) <= width else line[: max(0, width - 1)] + "…"


def tests_passed(passed: int, counted: int) -> str:
    """How many tests passed."""
    return f"{passed}/{counted} tests" if counted else "no test ran"


def gist(message: str) -> str:
    """The line of a test's message that says what went wrong: the one with the exception, else the first."""
    lines = message.splitlines()
    return next((line for line in lines if _EXCEPTION.match(line)), lines[0] if lines else "")


def _unseen(char: str) -> bool:
    """Control, format (bidi overrides among them), surrogate, private and unassigned; line separators too."""
    category = unicodedata.category(char)
    return category[0] == "C" or category in ("Zl", "Zp")

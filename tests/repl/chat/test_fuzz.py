"""Whatever is typed, and whatever comes of it, the chat goes on and the terminal stays whole.

`REASONER_FUZZ=10000` says how many lines and keys; a few keep the suite quick.
"""

import os
import pty
import random
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte

TALKER = Path(__file__).parent / "talker.py"
COUNT = int(os.environ.get("REASONER_FUZZ", "60"))
COMMANDS = [
    *(
        "/help",
        "/effort",
        "/budget",
        "/model",
        "/tools",
        "/undo",
        "/retry",
        "/edit",
        "/rewind",
        "/fork",
        "/tree",
        "/why",
    ),
    *("/tokens", "/cost", "/load", "/export", "/pin", "/more", "/clear", "/nope", "/", "//"),
]
ARGUMENTS = ["", "1", "-1", "1.1", "x", "9" * 30, "nan", "10k", "high", "last", "a/b", "/proc/no", "[/]", "\x1b[2J"]
WORDS = [
    *("\x1b[2J", "\x1b]0;t\x07", "\x9b31m", "\r", "\b", "\u202e", "\t", "\x00", "\u2028", "\x1b[6n", "\x1b[?1049h"),
    *("[red]", "[/]", "[link=x]", "```python\nx", "```", "x" * 10_000, "字" * 99, "%s", "{{x}}", "<|im_end|>", "@/tmp"),
    "@" + "x" * 300,
    *("!multi", "!end"),
]
KEYS = [
    *(bytes([code]) for code in range(1, 32) if chr(code + 64) not in "CDVXZ\\"),
    *(
        b"\x1b[A",
        b"\x1b[B",
        b"\x1b[C",
        b"\x1b[D",
        b"\x1b[200~pasted\nlines\x1b[201~",
        b"\x1b[M   ",
        b"\x1b[9;9R",
        b"\x1b",
    ),
    *(
        b"\x1bOP",
        b"\x1b[3~",
        b"\x1bb",
        b"\x1bd",
        b"\x7f",
        b"\xff",
        b"\xe2\x82",
        "字".encode(),
        b"/und\t",
        b"@/\t",
        b"x" * 200,
    ),
    *(b"/undo\r", b"/tree\r", b"/help\r", b"Be rude.\r", b"Let x be 5.\r", b"What is x?\r"),
]
CURSOR, PASTE, OTHER_SCREEN = 25 << 5, 2004 << 5, 1049 << 5


def lines(seed: int) -> str:
    rng = random.Random(seed)
    found = []
    for _ in range(COUNT):
        words = [rng.choice(COMMANDS), rng.choice(ARGUMENTS)] if rng.random() < 0.6 else rng.choices(WORDS, k=3)
        found.append(" ".join(words).replace("\n", " "))
    return "\n".join([*found, "!end", "/quit", ""])


def test_lines_of_any_kind_through_a_pipe_end_in_a_clean_screen(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(TALKER), str(tmp_path / "s")],
        input=lines(1).encode(),
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stderr == b""
    screen = done.stdout.decode()
    assert not {c for c in screen if c != "\n" and (c < " " or "\x7f" <= c < "\xa0" or c in "\u202e\u2028")}
    assert "go on with this" in screen and "Traceback" not in screen


def test_keys_of_any_kind_leave_the_terminal_as_it_was(tmp_path: Path) -> None:
    screen = pyte.Screen(80, 24)
    stream, rng = pyte.ByteStream(screen), random.Random(2)
    near, far = pty.openpty()
    before = termios.tcgetattr(far)
    chat = subprocess.Popen(
        [sys.executable, str(TALKER), str(tmp_path / "s")],
        stdin=far,
        stdout=far,
        stderr=far,
        start_new_session=True,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
    )

    def seen(seconds: float) -> None:
        while select.select([near], [], [], seconds)[0]:
            stream.feed(os.read(near, 65536))

    seen(3)
    for _ in range(COUNT):
        os.write(near, rng.choice(KEYS))
        seen(0.01)
    end = time.monotonic() + 120
    while chat.poll() is None and time.monotonic() < end:
        os.write(near, b"\x1b[201~\x07\x15n\r/quit\r")
        seen(0.5)
    seen(0.1)
    assert chat.poll() == 0, "\n".join(screen.display)
    assert "Traceback" not in "\n".join(screen.display)
    assert CURSOR in screen.mode and not {PASTE, OTHER_SCREEN} & screen.mode
    assert termios.tcgetattr(far) == before
    os.close(near)
    os.close(far)

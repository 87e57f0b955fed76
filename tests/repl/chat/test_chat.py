"""The real chat as a program: through a pipe against a kept screen, and in a terminal with Ctrl-C and kill -9."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reasoner.repl.printable import printable

HERE = Path(__file__).parent
TALKER = HERE / "talker.py"
SCREENS = HERE / "screens"
ENVIRONMENT = {**os.environ, "COLUMNS": "80", "LINES": "40", "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
SESSION = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


def piped(store: Path, words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(TALKER), str(store)],
        input=words,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**ENVIRONMENT, **environment},
    )
    assert done.stderr == ""
    return done.stdout


def settled(screen: str, store: Path) -> str:
    """Without what differs from run to run: the store, the session's name, the seconds that a tool took."""
    screen = SESSION.sub("SESSION", screen.replace(str(store), "STORE"))
    screen = screen.replace("the core is being loaded …\n", "")
    return re.sub(r"(╰ .*?)\d+\.\d\d s", r"\g<1>0.00 s", screen)


@pytest.mark.parametrize("name", ["branches", "commands"])
def test_a_scripted_session_through_a_pipe_is_the_screen_that_is_kept(tmp_path: Path, name: str) -> None:
    """`REASONER_KEEP_SCREENS=1` writes the screens anew."""
    screen = settled(piped(tmp_path / "s", (SCREENS / f"{name}.in").read_text(encoding="utf-8")), tmp_path / "s")
    kept = SCREENS / f"{name}.txt"
    if os.environ.get("REASONER_KEEP_SCREENS"):
        kept.write_text(screen, encoding="utf-8")
    assert screen == kept.read_text(encoding="utf-8")


def test_nothing_in_a_pipe_is_an_escape_sequence(tmp_path: Path) -> None:
    screen = piped(tmp_path / "s", "Be rude.\n\x1b[31mred\x1b[0m\n/\x1b]0;x\x07\n")
    assert "\x1b" not in screen and "[bold red]not markup[/]" in screen and "\u202e" not in screen


class Terminal:
    """A chat in a pseudo-terminal of 80 columns."""

    def __init__(self, store: Path, *flags: str) -> None:
        self.seen = ""
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, str(TALKER), str(store), *flags], ENVIRONMENT)

    def wait(self, words: str, seconds: float = 60.0) -> str:
        """Read until `words` are on the screen; what was read up to there is taken away."""
        end = time.monotonic() + seconds
        while words not in printable(self.seen):
            assert time.monotonic() < end, f"{words!r} never came, but {printable(self.seen)[-2000:]!r}"
            if select.select([self.file], [], [], 0.1)[0]:
                self.seen += os.read(self.file, 65536).decode("utf-8", "replace")
        before, _, self.seen = printable(self.seen).partition(words)
        return before

    def type(self, words: str) -> None:
        os.write(self.file, words.encode() + b"\r")

    def press(self, key: bytes) -> None:
        os.write(self.file, key)

    def end(self) -> int:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if select.select([self.file], [], [], 0.05)[0]:
                try:
                    os.read(self.file, 65536)
                except OSError:
                    break
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                self.pid = 0
                return 0
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "s"


def closed(terminal: Terminal) -> None:
    os.close(terminal.file)


def test_a_turn_is_held_still_and_talked_to_and_a_kill_loses_nothing(store: Path) -> None:
    chat = Terminal(store)
    chat.wait("Ctrl-D leaves")
    chat.type("Let x be 5.")
    chat.wait("turn 1 ·")
    chat.type("Add 1 to x.")
    chat.wait("It says 6.")
    chat.wait("turn 2 ·")
    chat.type("Count.")
    chat.wait("tok/s")
    chat.press(b"\x03")
    chat.wait("held still")
    chat.type("What is x?")
    chat.wait("kept as it was")
    chat.wait("It says 6 five+.")
    chat.wait("turn 4 ·")
    chat.type("Count.")
    chat.wait("number 20,")
    os.kill(chat.pid, signal.SIGKILL)
    os.waitpid(chat.pid, 0)
    closed(chat)

    again = Terminal(store, "--continue", "last")
    again.wait("turn 5 was broken off: /more goes on with it")
    again.type("What is x?")
    again.wait("It says 6 five+.")
    again.wait("turn 6 ·")
    again.type("/fork 1")
    again.wait("after turn 1")
    again.type("What is x?")
    again.wait("It says 5 five.")
    again.wait("turn 7 ·")
    again.type("/quit")
    again.wait("go on with this")
    again.end()
    closed(again)


def test_alt_enter_begins_a_new_line_of_the_same_words(store: Path) -> None:
    chat = Terminal(store)
    chat.wait("Ctrl-D leaves")
    chat.wait(">")
    chat.press(b"one\x1b\rtwo\r")
    chat.wait("You said: two")
    chat.wait("turn 1 ·")
    chat.type("/tree")
    chat.wait("1 one")
    chat.type("/quit")
    assert chat.end() == 0
    closed(chat)


def test_a_turn_can_be_dropped_and_ctrl_c_twice_leaves(store: Path) -> None:
    chat = Terminal(store)
    chat.type("Count.")
    chat.wait("number 20,")
    chat.press(b"\x03")
    chat.wait("held still")
    chat.type("d")
    chat.wait("dropped")
    chat.wait(">")
    chat.press(b"\x03")
    chat.wait("once more leaves")
    chat.press(b"\x03")
    chat.wait("go on with this")
    chat.end()
    closed(chat)


def test_a_file_goes_into_the_world_after_asking_and_not_otherwise(tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_text("mine")
    words = f"Take @{tmp_path}/n.txt\nn\nTake @{tmp_path}/n.txt\ny\nLet x be 5.\n/undo\nAdd 1 to x.\n"
    screen = piped(tmp_path / "s", words)
    assert f"put {tmp_path}/n.txt (4 bytes) into the world? [y/N] n".replace("\n", "") in screen
    assert f"You said: Take @{tmp_path}/n.txt".replace("\n", "") in screen.replace("\n", "")
    assert "You said: Take `n.txt`" in screen


def test_a_host_is_read_when_the_person_agrees_in_the_middle_of_a_turn(store: Path) -> None:
    chat = Terminal(store)
    chat.wait("Ctrl-D leaves")
    chat.type("Read it.")
    chat.wait("the model wants to read a page of a.org")
    chat.type("")
    chat.wait("the host is not allowed")
    chat.wait("turn 1 ·")
    chat.type("Read it.")
    chat.wait("the model wants to read a page of a.org")
    chat.type("s")
    chat.wait("hello")
    chat.wait("turn 2 ·")
    chat.type("Count.")
    chat.wait("tok/s")
    chat.press(b"\x03")
    chat.wait("held still")
    chat.type("d")
    chat.wait("dropped")
    chat.type("Read it.")
    chat.wait("turn 4 ·")
    chat.type("/quit")
    assert chat.end() == 0
    closed(chat)


def test_a_task_is_solved_in_a_chat_and_written_when_the_person_agrees(store: Path, tmp_path: Path) -> None:
    task = tmp_path / "task"
    task.mkdir()
    (task / "TASK.md").write_text("Write f, which returns 7.\n")
    (task / "f.py").write_text("def f():\n    pass\n")
    (task / "test_f.py").write_text("from f import f\n\ndef test_f():\n    assert f() == 7\n")
    chat = Terminal(store)
    chat.wait("Ctrl-D leaves")
    chat.type(f"/solve {task}")
    chat.wait("+    return 7")
    chat.wait("1/1 tests pass")
    chat.wait("[y/N]")
    chat.type("y")
    chat.wait("written: f.py")
    chat.type("/solve nowhere")
    chat.wait("error:")
    chat.type("/quit")
    assert chat.end() == 0
    assert "return 7" in (task / "f.py").read_text()
    closed(chat)

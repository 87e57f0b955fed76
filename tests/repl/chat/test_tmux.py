"""A session in a terminal as people have one: three turns over one interpreter, one undone, a fork, a rewind, a turn
held still, kill -9, and on. The screens are kept; `REASONER_KEEP_SCREENS=1` writes them anew."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCREENS = HERE / "screens"
STORY = (
    "Let x be 5.",
    "Add 1 to x.",
    "What is x?",
    "/undo",
    "What is x?",
    "/fork 1",
    "Add 1 to x.",
    "/rewind 1",
    "/tree",
)


class Tmux:
    """One window of 80 columns that runs a shell with nothing in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self(
            "new-session", "-d", "-x", "80", "-y", "60", "env", "-i", f"PATH={os.environ['PATH']}", "TERM=screen", "sh"
        )
        self("set-option", "-g", "status", "off")

    def __call__(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-L", self.name, *words], capture_output=True, text=True, check=True, timeout=20)
        return done.stdout

    def type(self, words: str) -> None:
        self("send-keys", "-l", words)
        self("send-keys", "Enter")

    @property
    def screen(self) -> str:
        return self("capture-pane", "-p").rstrip()

    def wait(self, words: str) -> None:
        self.until(lambda: words in self.screen)

    def rest(self) -> None:
        """Until the prompt is there."""
        self.until(lambda: f"\n{self.screen}".endswith("\n>"))

    def say(self, words: str) -> None:
        """Type at the prompt, and see it read: what is typed between two prompts is echoed by the terminal itself."""
        self.rest()
        self("send-keys", "-l", words)
        self.until(lambda: self.screen.endswith(f"> {words}"))
        self("send-keys", "Enter")
        self.until(lambda: not self.screen.endswith(f"> {words}"))

    def until(self, seen: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not seen():
            assert time.monotonic() < end, self.screen
            time.sleep(0.05)


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    terminal = Tmux(f"reasoner-{os.getpid()}")
    yield terminal
    terminal("kill-server")


def settled(screen: str) -> str:
    """Without what differs from run to run: the session's name, seconds of tools, and what came before the chat."""
    screen = screen[screen.index("reasoner chat ·") :].replace("the core is being loaded …\n", "")
    screen = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "SESSION", screen)
    return re.sub(r"(╰ .*?)\d+\.\d\d s", r"\g<1>0.00 s", screen) + "\n"


def kept(name: str, screen: str) -> None:
    file = SCREENS / f"{name}.txt"
    if os.environ.get("REASONER_KEEP_SCREENS"):
        file.write_text(settled(screen), encoding="utf-8")
    assert settled(screen) == file.read_text(encoding="utf-8")


def test_a_session_in_tmux_is_the_screens_that_are_kept(tmux: Tmux, tmp_path: Path) -> None:
    command = shlex.join([sys.executable, str(HERE / "talker.py"), str(tmp_path / "s")])
    tmux.type(f"clear; {command}")
    tmux.wait("Ctrl-D leaves")
    turns = 0
    for words in STORY:
        tmux.say(words)
        turns += not words.startswith("/")
        tmux.wait(f"turn {turns} ·")
    tmux.wait("← here")
    tmux.rest()
    kept("tmux-taken-back", tmux.screen)

    tmux("send-keys", "C-l")
    tmux.say("Count.")
    tmux.wait("number 20,")
    tmux("send-keys", "C-c")
    tmux.wait("held still")
    tmux.type("k")
    tmux.wait("kept as it was")
    tmux.say("Count.")
    tmux.wait("number 20,")
    pid = tmux("list-panes", "-F", "#{pane_pid}").strip()
    subprocess.run(["pkill", "-KILL", "-P", pid], check=True)
    tmux.wait("Killed")
    tmux.type(f"clear; {command} --continue last")
    tmux.wait("broken off")
    for words in ("/fork 4", "What is x?", "/why"):
        tmux.say(words)
    tmux.wait("turn 8 stopped")
    tmux.rest()
    kept("tmux-after-a-kill", tmux.screen)

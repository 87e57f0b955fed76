"""How soon a chat answers, and what its screen costs: the real program in a real terminal, read as a person reads it.

    python benchmarks/chat.py [--quick] [--model NAME]
    python benchmarks/chat.py --picture docs/chat.svg       the picture of the README, made anew

`prompt` is from starting the program to being able to type; `first token` from Enter to the first letter of the answer
on the screen, in a conversation whose core is loaded; `redraw` the CPU time of drawing a turn at 30 tokens a second,
beside the same turn undrawn. The floor of a start is an interpreter that imports what draws the prompt.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from rich.console import Console
from terminal import Terminal, picture

from reasoner.completions import Sampling
from reasoner.config import CoreConfig
from reasoner.repl.chat.view import TurnView
from reasoner.trace import Opened, Wrote
from reasoner.tree import Head
from reasoner.types import Expand

QUESTIONS = ("What is a prime number?", "Name three of them.", "Is 91 one of them?", "Why?")
STORY = (
    "Set prices = [19.9, 4.5, 7.25] and print their sum.",
    "Print the sum with a discount of 10 percent.",
    "/undo",
    "Print the largest of the prices.",
    "/tree",
)
PER_SECOND = 30
LINE = "The sum of the first n odd numbers is n squared, which a picture of dots shows at once. "


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one start, two questions, five seconds of drawing")
    parser.add_argument("--model", default=CoreConfig.model)
    parser.add_argument("--picture", type=Path, metavar="SVG", help="make the picture instead")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as store:
        command = [sys.executable, "-m", "reasoner", "chat", "--model", flags.model, "--sessions", store]
        if flags.picture:
            flags.picture.write_text(drawn(command), encoding="utf-8")
            return
        starts = [start(command) for _ in range(1 if flags.quick else 5)]
        floor = statistics.median(imports() for _ in starts)
        tokens = first_tokens(command, QUESTIONS[: 2 if flags.quick else None])
    drawing, undrawn = (redraw(5 if flags.quick else 20, live) for live in (True, False))
    prompt, token = statistics.median(starts), statistics.median(tokens)
    print(f"prompt after start    {prompt:6.2f} s   of which imports {floor:.2f} s; all: {spelt(starts)}")
    print(f"first token           {token:6.2f} s   all: {spelt(tokens)}")
    print(f"redraw at {PER_SECOND} tok/s    {drawing:6.1%}     of a CPU; undrawn {undrawn:.1%}")
    print(json.dumps(figures(prompt, floor, max(tokens), drawing)))


def spelt(seconds: list[float]) -> str:
    return " ".join(f"{one:.2f}" for one in seconds)


def figures(prompt: float, floor: float, token: float, drawing: float) -> dict[str, dict[str, object]]:
    lower = {"better": "lower"}
    return {
        "prompt_s": {"value": round(prompt, 2), "goal": 5, "unit": "s", "against": f"imports {floor:.2f} s", **lower},
        "first_token_s": {"value": round(token, 2), "goal": 1.5, "unit": "s, slowest", "against": "", **lower},
        "redraw_cpu": {"value": round(100 * drawing, 1), "goal": 5, "unit": "% of a CPU", "against": "", **lower},
    }


def prompted(lines: list[str]) -> bool:
    return bool(lines) and lines[-1].rstrip() == ">"


def start(command: list[str]) -> float:
    with Terminal(command) as terminal:
        return terminal.until(prompted)


def imports() -> float:
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", "import prompt_toolkit, rich.live, rich.syntax"], check=True)
    return time.monotonic() - begun


def first_tokens(command: list[str], questions: tuple[str, ...]) -> list[float]:
    """Of each question but the first, during which the core is loaded."""
    seconds: list[float] = []
    with Terminal(command) as terminal:
        terminal.until(prompted)
        for question in questions:
            terminal.type(question)
            seconds.append(terminal.until(partial(answered, question)))
            terminal.until(partial(ended, len(seconds)))
    return seconds[1:]


def ended(turn: int, lines: list[str]) -> bool:
    return prompted(lines) and any(line.startswith(f"turn {turn} ") for line in lines)


def answered(question: str, lines: list[str]) -> bool:
    """Whether something other than the status stands under what was asked."""
    below = lines[max((at for at, line in enumerate(lines) if question in line), default=len(lines)) + 1 :]
    return any(line.strip() and "tok/s" not in line and "being loaded" not in line for line in below)


def redraw(seconds: int, live: bool) -> float:
    """The share of a CPU that a turn's view takes while the core writes."""
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(file=nowhere, width=80, height=24, force_terminal=True, color_system="256", highlight=False)
        view = TurnView(console, time.monotonic, live=live)
        words = [word + " " for word in LINE.split()]
        with view:
            view(Opened(Head(0, Expand(0, "continue", Sampling()), 0, 0)))
            spent, begun = time.process_time(), time.monotonic()
            for n in range(seconds * PER_SECOND):
                view(Wrote(0, words[n % len(words)], 1))
                time.sleep(max(0.0, begun + (n + 1) / PER_SECOND - time.monotonic()))
            return (time.process_time() - spent) / (time.monotonic() - begun)


def drawn(command: list[str]) -> str:
    with Terminal(command, rows=40) as terminal:
        terminal.until(prompted)
        for count, words in enumerate(STORY, 2):
            terminal.type(words)
            terminal.until(partial(prompted_again, count))
        return picture(terminal.texts()[:-1], terminal.columns, "reasoner chat")


def prompted_again(count: int, lines: list[str]) -> bool:
    return prompted(lines) and sum(line.startswith(">") for line in lines) >= count


if __name__ == "__main__":
    main()

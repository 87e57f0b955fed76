"""`reasoner train`: from rows to an adapter or a reward head, and on from there after Ctrl-C."""

import argparse
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner import models
from reasoner.cli.exits import INTERRUPTED, SOLVED
from reasoner.cli.screen import Screen
from reasoner.cores.local.tuning import tune_process
from reasoner.errors import ConfigError

if TYPE_CHECKING:
    from reasoner.flywheel.courses import Place
    from reasoner.flywheel.student import Low
    from reasoner.flywheel.training import Recipe


def run(arguments: argparse.Namespace) -> int:
    screen = Screen(arguments.quiet)
    if arguments.kind == "dpo" and not arguments.parent:
        raise ConfigError("preferences are learnt from an adapter that knows how to speak: give --from DIR")
    with screen.progress() as progress:
        base = models.resolve(arguments.model or models.default(), progress=progress)
    threads(arguments)
    return _reward(arguments, base, screen) if arguments.kind == "reward" else _adapter(arguments, base, screen)


def _adapter(arguments: argparse.Namespace, base: Path, screen: Screen) -> int:
    from reasoner.flywheel import courses

    ending = Ending(screen)
    with screen.teaching() as watcher, ending:
        look = courses.Look(watcher, ending.asked, screen.say)
        where = arguments.data, arguments.output, recipe(arguments)
        if arguments.kind == "sft":
            came = courses.imitate(base, *where, low(arguments), place(arguments), look, parent=arguments.parent)
        else:
            came = courses.prefer(base, *where, place(arguments), look, parent=arguments.parent, beta=arguments.beta)
    said = {"steps": came.steps, "of": came.of, "loss": round(came.loss, 4), "adapter": str(arguments.output)}
    line = f"{arguments.output}: {came.steps} of {came.of} steps, loss {came.loss:.3f}"
    _print(said, line if came.finished else f"{line}; the same command goes on", arguments.json)
    return SOLVED if came.finished else INTERRUPTED


def recipe(arguments: argparse.Namespace) -> "Recipe":
    """How long, and at which rates: preferences are learnt more slowly."""
    from reasoner.flywheel.training import Recipe

    usual = Recipe(rate=2e-5, rows_rate=1e-4) if arguments.kind == "dpo" else Recipe()
    rate, epochs, batch, steps = arguments.rate or usual.rate, arguments.epochs, arguments.batch, arguments.steps
    return Recipe(rate, usual.rows_rate, epochs, batch, steps, seed=arguments.seed or 0)


def low(arguments: argparse.Namespace) -> "Low":
    """The size of adapters that begin afresh."""
    from reasoner.flywheel.student import Low

    return Low(arguments.rank, 2 * arguments.rank)


def place(arguments: argparse.Namespace) -> "Place":
    """Where it is computed."""
    from reasoner.flywheel.courses import Place

    return Place(arguments.device, arguments.dtype, arguments.at_once, arguments.keep)


def threads(arguments: argparse.Namespace) -> None:
    """Settings of the process, before anything is computed."""
    tune_process()
    if arguments.threads:
        import torch

        torch.set_num_threads(arguments.threads)


def _reward(arguments: argparse.Namespace, base: Path, screen: Screen) -> int:
    from reasoner.flywheel import courses

    head = courses.reward(
        base,
        arguments.data,
        arguments.head,
        arguments.looks,
        courses.Place(arguments.device, arguments.dtype),
        lambda done, of: screen.say(f"read {done} of {of} rows"),
        courses.Look(say=screen.say),
        on=arguments.on,
        seed=arguments.seed,
    )
    said = {"head": arguments.head, "auroc": round(head.auroc, 4), "places": head.places, "in": str(arguments.on)}
    line = f"{arguments.on}/heads/{arguments.head}: {head.places} places, AUROC {head.auroc:.3f} on tasks left out"
    _print(said, line, arguments.json)
    return SOLVED


def _print(said: dict[str, Any], line: str, as_json: bool) -> None:
    print(json.dumps(said) if as_json else line)


class Ending:
    """Ctrl-C asks for the end, which comes after the step that is being computed; a second one ends at once."""

    def __init__(self, screen: Screen) -> None:
        self._screen, self._asked = screen, False

    def asked(self) -> bool:
        return self._asked

    def __enter__(self) -> "Ending":
        self._before = {number: signal.signal(number, self._end) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _end(self, number: int, frame: object) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self._screen.say("stopping after this step")

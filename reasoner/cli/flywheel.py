"""`reasoner flywheel`: search, make rows, train, check, decide; on from there by the same command."""

import argparse
import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from reasoner import models
from reasoner.batch import Folder, Job, read_problems, read_records, summarise
from reasoner.batch.folder import RESULTS
from reasoner.cli.exits import INFRASTRUCTURE, INTERRUPTED, SOLVED
from reasoner.cli.run import work
from reasoner.cli.screen import Screen
from reasoner.cli.settings import settings
from reasoner.cli.train import Ending, low, place, recipe, threads
from reasoner.config import BudgetConfig, Config, SearchConfig
from reasoner.dialect.spoken import Spoken
from reasoner.errors import ConfigError, TraceError
from reasoner.flywheel import files, gate, generations
from reasoner.flywheel.contamination import Measured
from reasoner.flywheel.generations import Generation, Paths
from reasoner.flywheel.reading import Wanted, gather, traces
from reasoner.flywheel.rows import weighed
from reasoner.flywheel.sides import Sides, apart
from reasoner.flywheel.vocabulary import context, speaking
from reasoner.flywheel.worked import NAME as WORKED
from reasoner.flywheel.worked import WorkedCore
from reasoner.models import adapter, adapters
from reasoner.models.directory import digest
from reasoner.protocols import Core
from reasoner.tasks.worked import read_worked
from reasoner.types import Task

TOKENS = 4_000
"""Of a task, where no budget is given."""


def run(arguments: argparse.Namespace) -> int:
    """Go through what is missing of the generations asked for; 0 when the gate has decided on each."""
    config = _config(arguments)
    screen = Screen(arguments.quiet)
    sides, sources = _sides(arguments)
    worked = _worked(arguments, sides)
    for reason, n in sides.left_out.items():
        screen.say(f"left out  {n} {reason}")
    with screen.progress() as progress:
        base = models.resolve(config.core.model or models.default(), progress=progress)
    first = adapters.find(config.core.adapter, base.name)
    wheel = _Wheel(arguments, config, screen, sides, sources, base, str(first or adapters.BASE), worked)
    for number in range(1, arguments.generations + 1):
        if code := wheel.turn(number):
            screen.say("stopped   the same command goes on from here")
            return code
    _conclude(arguments, wheel, screen)
    return SOLVED


def _config(arguments: argparse.Namespace) -> Config:
    config = settings(arguments, os.environ)
    if config.core.url:
        raise ConfigError(f"the model of {config.core.url} cannot be trained from here: leave --url out")
    budget = config.budget
    if budget.tokens or budget.effort:
        return config
    return replace(config, budget=replace(budget, tokens=TOKENS))


def _sides(arguments: argparse.Namespace) -> tuple[Sides, dict[str, Any]]:
    """The tasks on both sides, and what tells them from others."""
    problems = read_problems(arguments.path, visible=arguments.visible)
    held = read_problems(arguments.held_out, visible=arguments.visible) if arguments.held_out else None
    reported = Measured.files(arguments.measured)
    sides = apart(problems.tasks, held.tasks if held else (), reported)
    held_out = drawn(sides.held_out, arguments.check, arguments.seed or 0)
    sides = replace(sides, train=sides.train[: arguments.limit], held_out=held_out)
    sources = {"sha256": problems.sha256, "held_out": (held or problems).sha256, "visible": arguments.visible}
    return sides, sources


def _worked(arguments: argparse.Namespace, sides: Sides) -> list[tuple[Task, str]]:
    """Tasks with their solutions, without what nothing may be learnt from."""
    found = []
    for task, solution in read_worked(arguments.worked, arguments.visible) if arguments.worked else ():
        if why := sides.bar(task):
            sides.left_out[why] += 1
        else:
            found.append((task, solution))
    return found


def drawn(tasks: Sequence[Task], count: int | None, seed: int) -> tuple[Task, ...]:
    """So many of them, drawn: a file may begin with what is easy."""
    few = count is not None and count < len(tasks)
    return tuple(random.Random(seed).sample(tasks, count)) if few and count else tuple(tasks)


def checking(arguments: argparse.Namespace, config: Config) -> Config:
    """How cores are held against each other: attempts one after another, each core's own way to use them, until the
    same number of tokens is spent. That bound must bite: cores that stop before it are not compared at equal cost."""
    search = replace(config.search, strategy=arguments.check_strategy, attempts=arguments.check_attempts, width=1)
    return replace(config, search=search, budget=BudgetConfig(tokens=arguments.check_tokens))


class _Wheel:
    """The stages, each of which goes on from what is there."""

    def __init__(
        self, arguments: argparse.Namespace, config: Config, screen: Screen, sides: Sides, sources: Mapping[str, Any],
        base: Path, first: str, worked: Sequence[tuple[Task, str]],
    ) -> None:  # fmt: skip
        self.root: Path = arguments.output.resolve()
        self.base, self.first = base, first
        self._arguments, self._config, self._screen = arguments, config, screen
        self._checking = checking(arguments, config)
        self._sides, self._sources = sides, sources
        self._worked = worked

    @property
    def found(self) -> list[Generation]:
        return generations.read(self.root)

    def turn(self, number: int) -> int:
        """One generation. Returns the code of what ended it early, else 0."""
        found = self.found
        if number <= len(found):
            return 0
        paths, parent = Paths(self.root, number), generations.best(self.root, found, self.first)
        if generations.gone(self.root, found):
            raise TraceError(
                f"{parent} was promoted and is to search next, but its adapter is not there any more: "
                "put it back, or turn a wheel in another directory, with --core and the one that you have"
            )
        stages: Sequence[Callable[[], int]] = (
            lambda: self._search(paths, parent),
            lambda: self._work_through(paths),
            lambda: self._rows(paths),
            lambda: self._teach(paths),
            lambda: self._check(paths, parent),
            lambda: self._check(paths, str(paths.adapter)),
        )
        for stage in stages:
            if code := stage():
                return code
        self._decide(paths, parent)
        return 0

    def _search(self, paths: Paths, parent: str) -> int:
        """Every task as often as asked for, with seeds that no generation before had."""
        each = self._arguments.searches
        epochs = range((paths.number - 1) * each, paths.number * each)
        self._screen.say(f"generation {paths.number}: searching with {Path(parent).name}")
        return self._run(self._config, parent, paths.search, _jobs(self._sides.train, epochs))

    def _work_through(self, paths: Paths) -> int:
        """What the data set's own solutions come to, as records of the core that is to be taught."""
        if not self._worked:
            return 0
        self._screen.say(f"generation {paths.number}: running {len(self._worked)} worked solutions")
        core = WorkedCore(speaking(self.base), self._worked, context(self.base))
        config = replace(self._config, search=SearchConfig("best_of_n", attempts=1, width=1), budget=BudgetConfig())
        return self._run(config, WORKED, paths.worked, _jobs([task for task, _ in self._worked], range(1)), core)

    def _rows(self, paths: Paths) -> int:
        if paths.rows.exists():
            return 0
        vocabulary = speaking(self.base)
        tasks = [*self._sides.train, *(task for task, _ in self._worked)]
        answers = {task.id: task.answer for task in tasks if task.answer}
        given, most = self._arguments, context(self.base)
        wanted = Wanted(
            min(given.context or most, most),
            measured=self._sides.measured,
            answers=answers,
            each=given.each,
            rows=given.rows,
            seed=self._config.search.seed,
        )
        found = gather(traces(paths.learnt_from), Spoken(vocabulary), wanted)
        count = files.write(map(files.sft_line, weighed(found.rows)), paths.rows)
        self._screen.say(f"generation {paths.number}: {count} rows of {len(found.tasks)} tasks")
        for reason, n in (+found.left_out).items():
            self._screen.say(f"          left out {n} {reason}")
        return 0

    def _teach(self, paths: Paths) -> int:
        """Afresh from the base on all that was found so far, so that no generation learns the last one's mistakes by
        heart (Zelikman et al., 2203.14465, section 3.1)."""
        if paths.taught:
            return 0
        self._screen.say(f"generation {paths.number}: training {paths.adapter.name}")
        from reasoner.flywheel import courses

        arguments, ending = self._arguments, Ending(self._screen)
        threads(arguments)
        with self._screen.teaching() as watcher, ending:
            came = courses.imitate(
                self.base,
                paths.rows,
                paths.adapter,
                recipe(arguments),
                low(arguments),
                place(arguments),
                courses.Look(watcher, ending.asked, self._screen.say),
            )
        return 0 if came.finished else INTERRUPTED

    def _check(self, paths: Paths, core: str) -> int:
        """A core alone over what is held out: it is loaded for this and shares no cache with another."""
        self._screen.say(f"generation {paths.number}: checking {Path(core).name}")
        jobs = _jobs(self._sides.held_out, range(self._arguments.checks))
        return self._run(self._checking, core, paths.check(core), jobs)

    def _run(self, config: Config, core: str, into: Path, jobs: list[Job], given: Core | None = None) -> int:
        """`core` by name, or the one that is `given` under that name."""
        config = replace(config, core=replace(config.core, adapter=core))
        held = {"version": version("reasoner"), "config": config.resolved(), "problems": self._sources}
        with Folder(into, held) as folder:
            code = work(config, jobs, folder, self._screen, self._arguments.workers, core=given)
            summary = summarise(folder.records(), len(jobs))
            folder.write_summary(asdict(summary))
        self._screen.say(f"          {summary.solved} of {summary.graded} solved, {summary.tokens:,} tokens")
        return code or (INFRASTRUCTURE if summary.failed or summary.done < len(jobs) else 0)

    def _decide(self, paths: Paths, parent: str) -> None:
        before, after = (
            gate.checked(read_records(paths.check(core) / RESULTS)) for core in (parent, str(paths.adapter))
        )
        decision = gate.decide(before, after, np.random.default_rng(self._config.search.seed))
        known = adapter.read(paths.adapter)
        one = Generation(
            paths.number,
            Path(parent).name,
            digest(self.base) if parent == adapters.BASE else adapter.read(Path(parent)).digest,
            paths.adapter.name,
            known.digest,
            known.lineage,
            {
                **self._sources,
                "searched": len(self._sides.train),
                "worked": len(self._worked),
                "checked": len(self._sides.held_out),
            },
            {"search": self._config.resolved(), "check": self._checking.resolved()},
            decision,
        )
        generations.write(self.root, one)
        self._screen.say(f"generation {paths.number}: {'promoted' if decision.promoted else 'refused'}")


def _jobs(tasks: Sequence[Task], epochs: range) -> list[Job]:
    return [Job(task, epoch) for epoch in epochs for task in tasks]


def _conclude(arguments: argparse.Namespace, wheel: _Wheel, screen: Screen) -> None:
    found = wheel.found
    best = generations.best(wheel.root, found, wheel.first)
    if arguments.json:
        print(json.dumps({"core": best, "generations": [asdict(one) for one in found]}))
    else:
        for one in found:
            print(f"{one.core}  {'promoted' if one.gate.promoted else 'refused'}: {one.gate.reason}")
    if generations.gone(wheel.root, found):
        screen.say(f"the adapter of {Path(best).name} is not there any more")
    elif best != wheel.first and arguments.use:
        screen.say(f"used from now on: {adapters.keep(Path(best), wheel.base.name)}")
    elif best != wheel.first:
        screen.say(f"use it with --core {best}")

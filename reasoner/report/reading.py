"""Directories of `reasoner run`, read into numbers. Solutions and answers are dropped line by line: a report of a
gigabyte of results holds a few hundred bytes a task."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from reasoner.batch import Record, read_records
from reasoner.batch.folder import CONFIG, RESULTS, flat
from reasoner.errors import ConfigError, TraceError

PHASES = ("prefill", "decode", "tools", "waiting")
MOST = 26
_MOST_TASKS = 0.9


@dataclass(frozen=True)
class Sample:
    """The last word on a task in one epoch."""

    task: str
    solved: bool
    graded: bool
    tokens: int
    confidence: float | None = None


@dataclass(frozen=True)
class Run:
    """One directory. `letter` is what figures call it; `name` comes from outside."""

    letter: str
    name: str
    core: str
    level: str
    """How well its worlds were closed."""
    settings: dict[str, Any]
    """The configuration and the problems, flat: search.attempts -> 16."""
    samples: tuple[Sample, ...]
    outcomes: dict[str, int]
    tokens: int
    """Of all attempts, also those that failed."""
    money: float
    wall_s: float
    """Of all tasks, as if one had come after the other."""
    phases: dict[str, float]
    """Seconds, added up over heads that grew side by side; without attempts that failed, since those wait for what is
    away."""

    @property
    def problems(self) -> str:
        """SHA-256 of what was asked; empty where nobody knows."""
        return str(self.settings.get("problems.sha256", ""))

    @property
    def graded(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.graded]

    @property
    def solved(self) -> int:
        return sum(sample.solved for sample in self.samples)

    def by_task(self) -> dict[str, list[Sample]]:
        """Graded samples of each task, an epoch each."""
        found: dict[str, list[Sample]] = defaultdict(list)
        for sample in self.graded:
            found[sample.task].append(sample)
        return dict(found)

    def shares(self) -> dict[str, float]:
        """Of each graded task, the share of its epochs in which it was solved."""
        return {task: sum(s.solved for s in samples) / len(samples) for task, samples in self.by_task().items()}

    def stated(self) -> list[tuple[float, bool]]:
        """How sure each graded answer was said to be, and whether it was right."""
        return [(sample.confidence, sample.solved) for sample in self.graded if sample.confidence is not None]

    @property
    def epochs(self) -> int:
        """Samples that nine of ten graded tasks have at least: one that failed once does not take all others' away."""
        drawn = sorted((len(samples) for samples in self.by_task().values()), reverse=True)
        return drawn[math.ceil(_MOST_TASKS * len(drawn)) - 1] if drawn else 0


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Runs, called A, B, … in the order given.

    Raises:
        ConfigError: a directory is none that `reasoner run` wrote; there are too many.
        TraceError: its files are broken.
    """
    if len(paths) > MOST:
        raise ConfigError(f"{len(paths)} runs are more than one report compares: give at most {MOST}")
    return [_read(chr(ord("A") + i), path) for i, path in enumerate(paths)]


def _read(letter: str, path: Path) -> Run:
    if not (path / RESULTS).is_file():
        what = f"holds no {RESULTS}" if path.is_dir() else "is no directory" if path.exists() else "does not exist"
        raise ConfigError(f"{path} {what}: give a directory that 'reasoner run' wrote")
    last: dict[tuple[str, int], Sample] = {}
    outcomes: dict[tuple[str, int], str] = {}
    phases = dict.fromkeys(PHASES, 0.0)
    tokens, money, wall_s, core, level = 0, 0.0, 0.0, "", ""
    for record in read_records(path / RESULTS):
        last[record.key] = _sample(record)
        outcomes[record.key] = record.outcome
        tokens += record.cost.tokens
        money += float(record.spent.get("money", 0.0)) + float(record.lost.get("money", 0.0))
        wall_s += record.times.wall_s
        core, level = record.core, record.level
        for phase in PHASES if record.is_last_word else ():
            phases[phase] += getattr(record.times, f"{phase}_s")
    counts = dict(Counter(outcomes.values()))
    samples = tuple(last.values())
    return Run(letter, str(path), core, level, _settings(path), samples, counts, tokens, money, wall_s, phases)


def _sample(record: Record) -> Sample:
    return Sample(record.task, record.outcome == "solved", record.is_graded, record.tokens, record.confidence)


def _settings(path: Path) -> dict[str, Any]:
    if not (path / CONFIG).is_file():
        return {}
    try:
        held = msgspec.json.decode((path / CONFIG).read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TraceError(f"{path / CONFIG} cannot be read ({error})") from error
    if not isinstance(held, dict):
        raise TraceError(f"{path / CONFIG} is no object: give a directory that 'reasoner run' wrote")
    config, problems = held.get("config"), held.get("problems")
    told = flat(config) if isinstance(config, dict) else {}
    return told | (flat(problems, "problems") if isinstance(problems, dict) else {})

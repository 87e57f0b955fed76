"""Many traces -> what they teach together: one tokenizer, few rows of a task and none twice, no task that a core is
measured on, nothing longer than the context. What is left out is counted, by reason.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from reasoner.dialect.spoken import Spoken
from reasoner.errors import ConfigError, TraceError
from reasoner.flywheel.contamination import Measured
from reasoner.flywheel.lessons import Taught, taught
from reasoner.flywheel.rows import Episode, Judged, Pair, Row, row
from reasoner.trace import Added, Trace, read

Split = Literal["all", "train", "check"]
_CHECK = 10
"""One task of so many, by the hash of its id, is held back to check the training with."""
T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """What of the traces is to be taken."""

    context: int
    split: Split = "all"
    without: frozenset[str] = frozenset()
    """Tasks by id."""
    measured: Measured | None = None
    """Texts that no row may hold."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Answers to questions, by the task's id: traces have none."""
    each: int = 1
    """Episodes of one kind that a task may give: the shortest of what was solved, the latest of all else."""
    rows: int = 0
    """Episodes in all, drawn by `seed`; 0 for all of them."""
    seed: int = 0


@dataclass
class Gathered:
    """What came of it."""

    episodes: list[Episode] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    tasks: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> list[Row]:
        return [row(episode) for episode in self.episodes]


def in_split(task: str, split: Split) -> bool:
    """Which side a task is on never depends on the other tasks."""
    held = int.from_bytes(hashlib.blake2b(task.encode(), digest_size=4).digest(), "big") % _CHECK == 0
    return split == "all" or held == (split == "check")


def traces(paths: Iterable[Path]) -> Iterator[tuple[Path, Trace]]:
    """Every trace at these paths: files, and folders with all that is below them.

    Raises:
        TraceError: there is none, or one that was named cannot be read.
    """
    count = 0
    for path in paths:
        if not path.exists():
            raise TraceError(f"{path} does not exist: give a trace, or a folder of them such as `reasoner run` writes")
        for file in sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]:
            if path.is_dir() and not _is_trace(file):
                continue
            count += 1
            yield file, read(file)
    if not count:
        raise TraceError("no trace is there: give traces of `reasoner run`, which keeps them in DIR/traces")


def gather(found: Iterable[tuple[Path, Trace]], dialect: Spoken, wanted: Wanted) -> Gathered:
    """What these traces teach.

    Raises:
        TraceError: one was made with another tokenizer.
        ConfigError: the very task of one is what the core is to be measured on.
    """
    result = Gathered()
    for path, trace in found:
        task = trace.began.task
        if not in_split(task.id, wanted.split) or task.id in wanted.without:
            result.left_out["tasks of another split"] += 1
            continue
        _must_fit(path, trace, dialect)
        if wanted.measured and _shared(path, trace, wanted.measured):
            result.left_out["tasks that share a run of words with what is measured on"] += 1
            continue
        result.tasks.add(task.id)
        _take(result, taught(dialect, trace, wanted.answers.get(task.id)))
    return _settled(result, wanted)


def _take(result: Gathered, one: Taught) -> None:
    result.episodes += one.episodes
    result.pairs += one.pairs
    result.judged += one.judged


def _settled(result: Gathered, wanted: Wanted) -> Gathered:
    """Without what is there twice, what is too long, and what is more than was asked for."""
    count = result.left_out
    fitting = [e for e in _once(result.episodes, row, count) if _fits(len(row(e)), wanted.context, count)]
    result.episodes = _drawn(_few(fitting, wanted.each, count), wanted, count)
    result.pairs = [p for p in _once(result.pairs, lambda p: p, count) if _fits(len(p), wanted.context, count)]
    result.judged = [j for j in _once(result.judged, lambda j: j, count) if _fits(len(j), wanted.context, count)]
    return result


def _few(episodes: Sequence[Episode], each: int, count: Counter[str]) -> list[Episode]:
    """The first `each` of every task and kind: the shortest of what was solved, else the latest."""
    ranked = sorted(
        range(len(episodes)), key=lambda n: (len(row(episodes[n])) if episodes[n].kind == "solved" else 0, -n)
    )
    taken, kept = Counter[tuple[str, str]](), list[int]()
    for n in ranked:
        one = episodes[n]
        taken[one.task, one.kind] += 1
        kept += [n] if taken[one.task, one.kind] <= each else []
    count["rows beyond those of one kind that a task may give"] += len(episodes) - len(kept)
    return [episodes[n] for n in sorted(kept)]


def _drawn(episodes: list[Episode], wanted: Wanted, count: Counter[str]) -> list[Episode]:
    """As many as were asked for, in the order they came."""
    if not wanted.rows or len(episodes) <= wanted.rows:
        return episodes
    count["rows beyond the number asked for"] += len(episodes) - wanted.rows
    chosen = random.Random(wanted.seed).sample(range(len(episodes)), wanted.rows)
    return [episodes[n] for n in sorted(chosen)]


def _once(items: Iterable[T], what: Callable[[T], object], count: Counter[str]) -> Iterator[T]:
    seen: set[object] = set()
    for item in items:
        if (key := what(item)) in seen:
            count["rows that are there twice"] += 1
            continue
        seen.add(key)
        yield item


def _fits(length: int, context: int, count: Counter[str]) -> bool:
    count["rows longer than the context"] += length > context
    return length <= context


def _shared(path: Path, trace: Trace, measured: Measured) -> bool:
    """Whether a task, or something that was written for it, holds a text that a core is to be measured on. The very
    task is more than chance: then it is refused."""
    task = trace.began.task
    if (same := measured.same(task.prompt)) is not None:
        raise ConfigError(
            f"{path}: task {task.id} is what the core is to be measured on (it has the words of task {same} there): "
            "leave its trace out, or measure on other tasks"
        )
    written = [step.text for event in trace.events if isinstance(event, Added) for step in event.node.steps[:2]]
    return measured.find(task.id, [task.prompt, *written]) is not None


def _must_fit(path: Path, trace: Trace, dialect: Spoken) -> None:
    """Refuse ids of another vocabulary: read by this one they do not say what the trace says they do."""
    nodes = [event.node for event in trace.events if isinstance(event, Added)]
    if not nodes:
        return
    root = nodes[0].steps[0]
    most = max((i for node in nodes for i in node.ids), default=0)
    known = max(dialect.tokenizer.vocabulary, 1 + max(dialect.controls.ids))
    if most >= known or root.text not in dialect.tokenizer.decode(root.ids):
        raise TraceError(
            f"{path} was made by {trace.began.core}, whose tokenizer is another one: "
            "export with --model the model that made it, or leave it out"
        )


def _is_trace(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.readline(64).startswith(b'{"event"')
    except OSError:
        return False

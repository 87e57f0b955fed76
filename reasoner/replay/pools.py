"""Recorded samples of tasks, as pools that a policy can be replayed over.

Two kinds of file are read: the rows of `benchmarks/baseline.py` (a sample a line), and traces of searches whose samples
were independent of each other. A search that let one attempt depend on another is no pool, and refused. One that ended
because of what its samples came to is one in its own order alone.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reasoner import tasks
from reasoner.dialect.stepwise import conclusion
from reasoner.errors import TaskError, TraceError
from reasoner.figures import Candidate, Draws
from reasoner.runtime import EXHAUSTED
from reasoner.trace import Added, Stopped, Trace, read
from reasoner.tree import Node
from reasoner.types import Span, Step, Verdict
from reasoner.verifiers import answers, certainty, suite

Visible = Literal["first", "all"]
"""Which of a row's tests could be seen: as they were recorded, the first grades nothing alone and all of them grade."""
GREEDY = -1


@dataclass(frozen=True)
class Sample:
    """One recorded completion, as the node that it is replayed as."""

    steps: tuple[Step, ...]
    verdicts: tuple[Verdict, ...]
    correct: bool
    tokens: int
    """Computed for it alone, the shared prompt left out."""

    def score(self, source: str) -> float | None:
        return next((v.score for v in self.verdicts if v.source == source), None)

    @property
    def key(self) -> str:
        """Its vote, empty if it has none."""
        return next((v.key for v in self.verdicts if v.key), "")


@dataclass(frozen=True)
class Pool:
    """The samples of one task in the order in which they were recorded; `prompt` tokens are read once for all."""

    task: str
    prompt: int
    samples: tuple[Sample, ...]
    source: Path
    core: str = ""
    """What drew them, where the record says."""
    digest: str = ""
    """Its digest, or the beginning of it."""
    ordered: bool = False
    """They ended because of what they came to, so they say something in the order in which they were drawn alone: how
    many there are, and that the last one is right, is no chance."""

    def draws(self, score: str) -> Draws:
        """The pool as figures take it, with the scores of one source."""
        found = [
            Candidate(s.correct, s.tokens, s.score(score) or 0.0, s.score(suite.SOURCE) == 1.0, s.key)
            for s in self.samples
        ]
        return Draws(self.prompt, tuple(found))


def read_pools(paths: Iterable[Path], visible: Visible = "first") -> list[Pool]:
    """All pools of these files, and of all files below these folders, by name.

    Raises:
        TraceError: a file is neither, cannot be read, or holds no pool; two files have one task; the records are of
            different models.
    """
    pools: list[Pool] = []
    for path in paths:
        if not path.exists():
            raise TraceError(f"{path} does not exist: give a trace, a file of recorded samples, or a folder of them")
        files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
        if not files:
            raise TraceError(f"{path} holds no trace and no recorded samples (*.jsonl)")
        for file in files:
            pools += _read(file, visible, strict=not path.is_dir())
    if not pools:
        raise TraceError("there is nothing to replay: no file holds samples besides a greedy one")
    _must_agree(pools)
    return pools


def _read(path: Path, visible: Visible, *, strict: bool) -> Iterator[Pool]:
    """The pools of a file; one of another kind is passed over unless it was named itself."""
    try:
        with path.open("rb") as file:
            first = json.loads(file.readline() or b"null")
    except (OSError, ValueError) as error:
        if not strict:
            return
        raise TraceError(f"{path} is neither a trace nor recorded samples ({error})") from error
    if isinstance(first, dict) and "event" in first:
        yield _of_trace(path, read(path))
    elif isinstance(first, dict) and {"task", "sample"} <= first.keys():
        yield from _of_rows(path, visible)
    elif strict:
        raise TraceError(f"{path} is neither a trace nor recorded samples: its first line says which, and does not")


def _must_agree(pools: list[Pool]) -> None:
    cores = sorted({pool.core for pool in pools if pool.core})
    if len(cores) > 1:
        raise TraceError(f"these records are of different models ({', '.join(cores[:3])}): take those of each alone")
    seen: dict[str, Path] = {}
    for pool in pools:
        if pool.task in seen:
            raise TraceError(f"task {pool.task} is in {seen[pool.task]} and in {pool.source}: replay each on its own")
        seen[pool.task] = pool.source


# --- rows ------------------------------------------------------------------------------------------------------------


def _of_rows(path: Path, visible: Visible) -> Iterator[Pool]:
    """The pools of a file of rows. Its last line may be cut."""
    lines = path.read_bytes().split(b"\n")
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.setdefault(str(row["task"]), {})[int(row["sample"])] = row
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break
            raise TraceError(f"{path}, line {number}: no recorded sample ({type(error).__name__}: {error})") from error
    tested = any(len(_tests(row)) > 1 for rows in found.values() for row in rows.values())
    for task, rows in found.items():
        drawn = [rows[k] for k in sorted(rows) if k != GREEDY]
        if drawn:
            try:
                samples = tuple(_of_row(row, visible if tested else None) for row in drawn)
                for core in sorted({str(row.get("core", "")) for row in drawn}):
                    yield Pool(task, int(drawn[0]["prompt"]), samples, path, core, core)
            except (ValueError, KeyError, TypeError) as error:
                what = f"{type(error).__name__}: {error}"
                raise TraceError(f"{path}: a sample of task {task} lacks what a replay needs ({what})") from error


def _of_row(row: dict[str, Any], visible: Visible | None) -> Sample:
    ids, logprobs = tuple(row["ids"]), tuple(row["logprobs"])
    said = row.get("answer")
    kind: Literal["act", "answer"] = "answer" if "answer" in row else "act"
    verdicts = [*_seen(row, visible), *_sure(logprobs)]
    if kind == "answer":
        key = "" if said is None else answers.key(str(said))
        verdicts.append(Verdict(1.0 if key else 0.0, answers.SOURCE, str(said), key))
    step = Step(kind, str(row["text"]), (Span(ids, True, logprobs),))
    return Sample((step,), tuple(verdicts), bool(row["correct"]), len(ids))


def _seen(row: dict[str, Any], visible: Visible | None) -> Iterator[Verdict]:
    """What the visible tests said; a candidate of which none ran passes none."""
    if visible is None:
        return
    tests = _tests(row) if visible == "all" else _tests(row)[:1]
    passed = sum(outcome == "passed" for outcome in tests)
    score = 0.0 if not passed else 1.0 if passed == len(tests) else min(passed / len(tests), 0.999)
    yield Verdict(score, suite.SOURCE, f"{passed}/{len(tests)}")


def _tests(row: dict[str, Any]) -> list[Any]:
    """The outcomes of a row's tests, none where none was run."""
    found = row.get("tests")
    return found if isinstance(found, list) else []


def _sure(logprobs: tuple[float, ...]) -> Iterator[Verdict]:
    if logprobs:
        yield Verdict(math.exp(min(0.0, certainty.mean(logprobs))), certainty.SOURCE)
        yield Verdict(math.exp(min(0.0, certainty.lowest(logprobs, certainty.WINDOW)[1])), certainty.LOWEST)


# --- traces ----------------------------------------------------------------------------------------------------------


def _of_trace(path: Path, past: Trace) -> Pool:
    tree, task = past.tree(), past.began.task
    nodes = tree.nodes[1:]
    for head in {node.move for node in nodes} - {"attempt"}:
        raise TraceError(f"{path}: a search with the move {head!r} is no pool of independent samples")
    for event in past.events:
        expand = getattr(getattr(event, "head", None), "expand", None)
        if expand and (expand.kept or expand.learnt is not None or expand.node != tree.root):
            raise TraceError(f"{path}: an attempt hangs on another one, so this is no pool of independent samples")
    reference = _reference(path, past) if task.is_question else None
    if not task.is_question and past.began.graded:
        raise TraceError(f"{path}: its hidden tests graded the answer alone, so nobody knows which samples are right")
    drawn = _drawn(path, past)
    prompt = max((node.cost.prefilled for node in drawn), default=0)
    samples = tuple(_of_node(node, reference) for node in drawn)
    core = f"{past.began.core} ({past.began.digest[:12]})"
    return Pool(task.id, prompt, samples, path, core, past.began.digest, _ended_by_itself(past, len(samples)))


def _drawn(path: Path, past: Trace) -> list[Node]:
    """The samples in the order in which they were begun; in that in which they ended, short ones would come first."""
    ended = {event.head: event.node for event in past.events if isinstance(event, Added) and event.head is not None}
    lost = [head.id for head in past.unfinished]
    if lost and lost[0] < max(ended, default=-1):
        raise TraceError(
            f"{path}: the search ended while its sample {lost[0] + 1} was being written and later ones were there, so "
            "nobody knows what comes first: record with --width 1"
        )
    return [ended[head] for head in sorted(ended)]


def _ended_by_itself(past: Trace, samples: int) -> bool:
    """Whether a search ended before it had all samples that it may have."""
    stop = next((event.stop for event in reversed(past.events) if isinstance(event, Stopped)), None)
    search = past.began.config.get("search", {})
    asked = 1 if search.get("strategy") == "single" else search.get("attempts", 0)
    return stop is None or stop.reason != EXHAUSTED or bool(past.unfinished) or samples < asked


def _reference(path: Path, past: Trace) -> str:
    """The reference answer's key, from where the task was read."""
    origin = past.began.task.origin
    try:
        answer = tasks.again(origin).answer if origin else None
    except TaskError as error:
        raise TraceError(f"{path}: the reference answer cannot be read again ({error})") from error
    if answer is None:
        raise TraceError(f"{path}: no reference answer is known, so nobody knows which samples are right")
    return answers.key(conclusion(answer))


def _of_node(node: Node, reference: str | None) -> Sample:
    sampled = [span for step in node.steps for span in step.spans if span.sampled]
    logprobs = tuple(p for span in sampled for p in span.logprobs)
    verdicts = [*node.verdicts, *(v for v in _sure(logprobs) if node.score(v.source) is None)]
    if reference is None:
        correct = node.score(suite.SOURCE) == 1.0
    else:
        said = answers.answer_of(node)
        correct = bool(said) and answers.key(said) == reference
    tokens = sum(len(span.ids) for span in sampled) + node.cost.verifier
    return Sample(node.steps, tuple(verdicts), correct, tokens)

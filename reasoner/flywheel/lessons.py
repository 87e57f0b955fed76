"""What one search teaches: its verified branches, its recoveries, its better and worse ways, what its places are worth.

A recovery makes two rows, each a context that the runtime really produces. The branch that failed: what it did is read,
and what is learnt is to see it and to step back, with a lesson; that is right also where nothing came after it. The
branch that came after: the lesson stands there as one forced line, and what is learnt is what passed. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from reasoner.dialect.control import Control
from reasoner.dialect.spoken import Spoken, one_line, write_backtrack
from reasoner.flywheel.ends import known, worth
from reasoner.flywheel.rows import Episode, Judged, Mark, Pair, read_only, written
from reasoner.flywheel.told import told
from reasoner.suites import report
from reasoner.trace import Trace
from reasoner.tree import Node, Tree
from reasoner.types import NodeId, Report, Step, Task

_FEW = 2
"""Recoveries, and pairs, that one driven search may give: its failures are many and much alike."""


@dataclass(frozen=True)
class Taught:
    episodes: tuple[Episode, ...] = ()
    pairs: tuple[Pair, ...] = ()
    judged: tuple[Judged, ...] = ()


@dataclass(frozen=True)
class Search:
    """One recorded search, with what is known of its ends."""

    dialect: Spoken
    task: Task
    tree: Tree
    right: Mapping[NodeId, bool]

    def steps(self, node: NodeId) -> list[tuple[Step, ...]]:
        """The path to a node as it is spoken, node by node; what failed on the way is to be read alone."""
        path = list(self.tree.path(node))
        spoken = told(self.dialect, self.task, path)
        fell = [self.right.get(one.id) is False for one in path]
        return [tuple(map(read_only, s)) if bad else s for s, bad in zip(spoken, fell, strict=True)]


def taught(dialect: Spoken, trace: Trace, reference: str | None = None) -> Taught:
    """All that a trace teaches. `reference` is a question's answer, which traces leave out."""
    tree = trace.tree()
    if not tree.nodes:
        return Taught()
    right = known(tree, trace.result, reference)
    search = Search(dialect, trace.began.task, tree, right)
    passed, failed = _distinct(tree, right, True), _distinct(tree, right, False)
    episodes = [Episode(tree.task, "solved", tuple(solution(search, node))) for node in passed]
    episodes += [Episode(tree.task, "turned", tuple(steps)) for steps in given_up(search)]
    for bad, good in _recoveries(search, passed, failed):
        episodes += [
            Episode(tree.task, "turned", tuple(fallen(search, bad))),
            Episode(tree.task, "solved", tuple(risen(search, bad, good))),
        ]
    if not passed:
        episodes += [Episode(tree.task, "turned", tuple(fallen(search, bad))) for bad in _at_task(search, failed)]
    pairs = [pair for good in passed for pair in _pairs(search, good, failed)][:_FEW]
    return Taught(tuple(episodes), tuple(pairs), tuple(judged(search)))


def solution(search: Search, node: NodeId) -> list[Step]:
    """A path that ended well."""
    return [step for part in search.steps(node) for step in part]


def given_up(search: Search) -> Iterator[list[Step]]:
    """Branches that a core itself gave up, where what hangs from there with their lesson came to a right end."""
    fruitful = {one.learnt for end, right in search.right.items() if right for one in search.tree.path(end)}
    for node in search.tree.nodes:
        if node.id in fruitful and node.steps[-1].kind == "backtrack":
            steps = [step for part in search.steps(node.id) for step in part]
            last = max((at for at, s in enumerate(steps) if s.kind in ("observe", "malformed", "task")), default=0)
            yield [read_only(step) for step in steps[: last + 1]] + steps[last + 1 :]


def fallen(search: Search, node: NodeId) -> list[Step]:
    """A driven branch that failed, and how it should have gone on: what is wrong, and back to the task."""
    steps = [read_only(step) for part in search.steps(node) for step in part]
    words, dialect = lesson(search.tree[node]), search.dialect
    back = dialect.tokenizer.encode(write_backtrack(0, words))
    own = _reflection(search, node)
    return [*steps, own or _said(dialect, "reflect", words), dialect.said("backtrack", back)]


def risen(search: Search, bad: NodeId, good: NodeId) -> list[Step]:
    """A branch that ended well, told as one that had the lesson of a failed one."""
    task, *rest = solution(search, good)
    return [task, search.dialect.lesson(lesson(search.tree[bad])), *rest]


def lesson(node: Node) -> str:
    """What a failed branch leaves: the first thing that its tests or its last cell found wrong, in a line."""
    observed = next((s.result for s in reversed(node.steps) if s.result), None)
    if observed is None:
        return "that way was wrong"
    said: Report = report(observed)
    failed = next((t for t in said.tests if t.outcome not in ("passed", "skipped")), None)
    found = said.error or (failed.message or failed.name if failed else "")
    lines = [line.strip() for line in found.splitlines() if line.strip()]
    return one_line(": ".join(lines[:2])) or "that way was wrong"


def judged(search: Search) -> Iterator[Judged]:
    """Each end's context, with what every node on the way to it is worth."""
    values = worth(search.tree, search.right)
    for end in search.right:
        ids, marks, solution = list[int](), list[Mark](), 0
        for node, steps in zip(search.tree.path(end), search.steps(end), strict=True):
            for step in steps:
                ids += step.ids
                if step.kind in ("act", "answer"):
                    solution = len(ids)
                if node.parent is not None and step.kind != "task":
                    marks.append(Mark(len(ids), values[node.id].value, values[node.id].of))
        if marks:
            yield Judged(search.tree.task, tuple(ids), tuple(marks), solution)


def outcomes(rows: Sequence[Judged]) -> list[Judged]:
    """What an outcome head learns of contexts: only where solutions end, and only what is known for sure."""
    sure = [row for row in rows if row.solution and row.marks[-1].value in (0.0, 1.0)]
    return [replace(r, ids=r.ids[: r.solution], marks=(replace(r.marks[-1], at=r.solution),)) for r in sure]


def _recoveries(search: Search, passed: Sequence[NodeId], failed: Sequence[NodeId]) -> list[tuple[NodeId, NodeId]]:
    """Failed branches, each with one that passed."""
    good = [node for node in passed if search.tree[node].parent == 0]
    return [(bad, good[n % len(good)]) for n, bad in enumerate(_at_task(search, failed))] if good else []


def _at_task(search: Search, failed: Sequence[NodeId]) -> list[NodeId]:
    """Failed branches that hang from the task, a few of them; a core that speaks steps back itself."""
    found = (node for node in failed if search.tree[node].parent == 0 and search.tree[node].step("observe"))
    return list(islice((node for node in found if not _spoken(search, node)), _FEW))


def _pairs(search: Search, good: NodeId, failed: Sequence[NodeId]) -> Iterator[Pair]:
    """Siblings of one prefix with opposite ends. What each wrote is compared, up to what it was told of it."""
    for bad in failed:
        if search.tree[bad].parent != search.tree[good].parent:
            continue
        before = [step for part in search.steps(good)[:-1] for step in part]
        chosen, rejected = (
            written(
                [s for s in told(search.dialect, search.task, list(search.tree.path(n)))[-1] if s.kind != "observe"]
            )
            for n in (good, bad)
        )
        prompt = written(before).ids
        if any(chosen.learnt) and any(rejected.learnt) and chosen.ids != rejected.ids:
            yield Pair(search.tree.task, prompt, chosen, rejected)


def _distinct(tree: Tree, right: Mapping[NodeId, bool], wanted: bool) -> list[NodeId]:
    """Ends of that kind, one of each text."""
    return [node for node, is_right in right.items() if is_right == wanted and not tree.echoes(node)]


def _spoken(search: Search, node: NodeId) -> bool:
    own = set(search.dialect.controls.ids)
    return not own.isdisjoint(search.tree.ids(node))


def _reflection(search: Search, node: NodeId) -> Step | None:
    """What the core itself said of a failed attempt, when it was asked."""
    for child in search.tree.children(node):
        steps = told(search.dialect, search.task, list(search.tree.path(child)))[-1]
        if found := next((s for s in steps if s.kind == "reflect" and s.text.strip()), None):
            return found
    return None


def _said(dialect: Spoken, kind: Control, words: str) -> Step:
    return dialect.said(kind, dialect.tokenizer.encode(words))

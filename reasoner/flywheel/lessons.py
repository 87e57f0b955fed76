"""What one search teaches: its verified branches, its recoveries, its better and worse ways, what its places are worth.

A recovery makes two rows, each a context that the runtime really produces. The branch that failed: what it did is read,
up to where its core can see that it failed, and what is learnt is to say so and to step back, with a lesson. The branch
that came after: the lesson stands there as one forced line, and what is learnt is what passed. Nothing is learnt from a
failure that no core can see; to step back from one that it can is right whatever comes after. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reasoner.dialect.control import Control
from reasoner.dialect.spoken import Spoken, numbered, write_backtrack
from reasoner.dialect.stepwise import ANSWER
from reasoner.flywheel.ends import known, worth
from reasoner.flywheel.rows import Episode, Judged, Mark, Pair, read_only, written
from reasoner.flywheel.told import is_spoken, told
from reasoner.loop.failures import lesson, seen, wrong
from reasoner.trace import Trace
from reasoner.tree import Node, Tree
from reasoner.types import NodeId, Step, Task

_FEW = 2
"""Pairs that one driven search may give: its failures are many and much alike."""


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
        return [
            tuple(map(read_only, s)) if bad else tuple(_unlearnt(self.task, s))
            for s, bad in zip(spoken, fell, strict=True)
        ]


def _unlearnt(task: Task, steps: Sequence[Step]) -> Iterator[Step]:
    """Steps, of which those are to be read alone that could not be read, or that led to an observation of a failure."""
    begun = list[Step]()
    for step in steps:
        begun.append(read_only(step) if step.kind == "malformed" else step)
        if step.kind == "observe":
            yield from map(read_only, begun) if seen(task, step) else begun
            begun = []
    yield from begun


@dataclass(frozen=True)
class Fall:
    """A branch up to the observation at which its core could see that it had failed, in its node `at`."""

    at: NodeId
    steps: tuple[Step, ...]

    @property
    def back(self) -> int:
        """The step to go back to: the observation before, 0 for the task."""
        return numbered(self.steps) - 1


def taught(dialect: Spoken, trace: Trace, reference: str | None = None) -> Taught:
    """All that a trace teaches. `reference` is a question's answer, which traces leave out."""
    tree = trace.tree()
    if not tree.nodes:
        return Taught()
    right = known(tree, trace.result, reference)
    search = Search(dialect, trace.began.task, tree, right)
    passed, failed = _distinct(tree, right, True), _distinct(tree, right, False)
    ends = [end for node in passed if not _made(search, node) and _shown(end := _end(search, node))]
    episodes = [*ends, *(Episode(tree.task, "turned", tuple(steps)) for steps in given_up(search))]
    clean = [list(end.steps) for end in ends if not any(seen(search.task, step) for step in end.steps)]
    best = min(clean, key=lambda steps: len(written(steps).ids), default=None)
    for fall in falls(search, failed):
        episodes.append(Episode(tree.task, "turned", tuple(fallen(search, fall))))
        if best and not fall.back:
            episodes.append(Episode(tree.task, "risen", tuple(risen(search, fall, best))))
    pairs = [pair for good in passed for pair in _pairs(search, good, failed)][:_FEW]
    return Taught(tuple(episodes), tuple(pairs), tuple(judged(search)))


def _made(search: Search, node: NodeId) -> bool:
    """Whether the runtime made the core answer a question: a thought that was cut off is none to learn, however right
    the answer was."""
    answer, dialect = search.tree[node].step("answer"), search.dialect
    if answer is None or not search.task.is_question or answer.spans[0].sampled:
        return False
    opening = answer.spans[0].ids
    return opening[-1:] == (dialect.controls.answer,) or dialect.tokenizer.decode(opening).endswith(ANSWER)


def _shown(end: Episode) -> bool:
    """Whether something leads to the answer: one without a step is a guess, and some guesses are right."""
    return any(step.kind in ("think", "act") and step.text.strip() for step in end.steps)


def _end(search: Search, node: NodeId) -> Episode:
    """A path that ended well; where a core that speaks was given a lesson on it, it rose with that."""
    steps, path = [step for part in search.steps(node) for step in part], list(search.tree.path(node))
    rose = is_spoken(search.dialect, path) and any(one.learnt is not None for one in path)
    return Episode(search.tree.task, "risen" if rose else "solved", tuple(steps))


def given_up(search: Search) -> Iterator[list[Step]]:
    """Branches that a core itself gave up, where what hangs from there with their lesson came to a right end."""
    fruitful = {one.learnt for end, right in search.right.items() if right for one in search.tree.path(end)}
    for node in search.tree.nodes:
        if node.id in fruitful and node.steps[-1].kind == "backtrack" and _heard(node):
            steps = [step for part in search.steps(node.id) for step in part]
            last = max((at for at, s in enumerate(steps) if s.kind in ("observe", "malformed", "task")), default=0)
            yield [read_only(step) for step in steps[: last + 1]] + steps[last + 1 :]


def _heard(node: Node) -> bool:
    """Whether its core said anything in a node, which may be the runtime's step back."""
    return any(step.sampled for step in node.steps)


def falls(search: Search, failed: Sequence[NodeId]) -> Iterator[Fall]:
    """Where branches that ended badly could be seen to fail. A core that speaks and was heard after that has said
    itself what it made of it."""
    found = set[NodeId]()
    for node in failed:
        fall = _fall(search, node)
        if fall and fall.at not in found and not _heard_after(search, node, fall):
            found.add(fall.at)
            yield fall


def _heard_after(search: Search, node: NodeId, fall: Fall) -> bool:
    """Whether a core that speaks went on after a failure that it could see."""
    spoke = is_spoken(search.dialect, search.tree.path(node))
    heard = any(_heard(search.tree[child]) for child in search.tree.children(node))
    at_the_end = fall.at == node and search.tree[node].steps[-1].kind == "observe" and not heard
    return spoke and not at_the_end


def _fall(search: Search, node: NodeId) -> Fall | None:
    """The first failure that is seen on the path to a node."""
    steps = list[Step]()
    for one, part in zip(search.tree.path(node), search.steps(node), strict=True):
        for step in part:
            steps.append(read_only(step))
            if seen(search.task, step):
                return Fall(one.id, tuple(steps))
    return None


def fallen(search: Search, fall: Fall) -> list[Step]:
    """How a branch that failed should have gone on: what is wrong, and back to where it was not."""
    words, dialect = lesson(search.task, fall.steps[-1]), search.dialect
    back = dialect.tokenizer.encode(write_backtrack(fall.back, words))
    own = None if search.task.is_question else _reflection(search, fall.at)
    said = own or _said(dialect, "reflect", wrong(search.task, fall.steps[-1]))
    return [*fall.steps, said, dialect.said("backtrack", back)]


def risen(search: Search, fall: Fall, good: Sequence[Step]) -> list[Step]:
    """A branch that ended well, told as one that had the lesson of a failed one."""
    task, *rest = good
    return [task, search.dialect.lesson(lesson(search.task, fall.steps[-1])), *rest]


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


def _reflection(search: Search, node: NodeId) -> Step | None:
    """What the core itself said of a failed attempt, when it was asked."""
    for child in search.tree.children(node):
        if not _heard(search.tree[child]):
            continue
        steps = told(search.dialect, search.task, list(search.tree.path(child)))[-1]
        if found := next((s for s in steps if s.kind == "reflect" and s.text.strip()), None):
            return found
    return None


def _said(dialect: Spoken, kind: Control, words: str) -> Step:
    return dialect.said(kind, dialect.tokenizer.encode(words))

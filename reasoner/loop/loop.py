"""One move of one head, and the verifiers' word on what came of it.

The loop knows a core, a world and a dialect, and no strategy: which head grows, and how, comes in as an `Expand`.
Whatever the model or its code does wrong ends as a step of the node; only our own surroundings raise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from numbers import Real
from typing import Protocol

from reasoner.config import SpeechConfig
from reasoner.dialect.control import Controls
from reasoner.errors import ReasonerError
from reasoner.ledger import Ledger
from reasoner.loop.coding import Coding
from reasoner.loop.speaking import Speaking
from reasoner.loop.stepping import Stepping
from reasoner.loop.writing import Growth, Writer
from reasoner.protocols import Core, Sandbox, Scene, Verifier, World
from reasoner.toolbox import Toolbox
from reasoner.trace import Event
from reasoner.tree import Head, Node, Tree
from reasoner.types import Limits, Report, SnapshotId, Step, Task, ToolResult, Verdict

BROKEN = "broken"
"""The source of what is said in place of a verifier that raises, or gives no verdict."""
_DETAIL = 300


class Moves(Protocol):
    """What can be done with one task: `loop.coding`, `loop.stepping` and `loop.speaking`."""

    def root(self) -> Step:
        """The task as the first user's turn, left open. Raises `TaskError`."""
        ...

    async def before(self, at: SnapshotId, ledger: Ledger) -> Report | None:
        """What the visible tests say of the files as they are; None where there are none. Raises `TaskError`."""
        ...

    async def make(self, tree: Tree, growth: Growth) -> None:
        """Carry out the head's own move."""
        ...

    async def redo(self, step: Step, at: SnapshotId) -> tuple[ToolResult | None, SnapshotId]:
        """Do to a world once more what a recorded step did to its own, and what the step's call says now, if any."""
        ...


@dataclass(frozen=True)
class Loop:
    """Grows heads of one task's tree. Costs are charged as they arise, also when a head is cancelled half-way."""

    task: Task
    core: Core
    sandbox: Sandbox
    world: World
    toolbox: Toolbox
    verifiers: Sequence[Verifier]
    limits: Limits
    moves: Moves

    async def grow(self, tree: Tree, head: Head, ledger: Ledger) -> Node:
        """One move of `head`, judged: a node that is ready to be added. Raises `CoreError`, `SandboxError`."""
        expand = head.expand
        at = tree[expand.node]
        growth = Growth(head, tree.ids(at.id), at.world, ledger)
        await self.moves.make(tree, growth)
        node = Node(-1, at.id, expand.move, tuple(growth.steps), growth.world, learnt=expand.learnt)
        scene = Scene(self.task, tree, self.core, self.world, self.sandbox, self.toolbox, self.limits, ledger)
        verdicts = [await _word(verifier, scene, node) for verifier in self.verifiers]
        return replace(node, verdicts=tuple(v for v in verdicts if v), cost=ledger.spent)


async def _word(verifier: Verifier, scene: Scene, node: Node) -> Verdict | None:
    """What a verifier says. One that breaks loses no node: what is wrong with it stands in its place, under a source of
    its own on which nothing is decided. Failures of our surroundings go on."""
    try:
        verdict = await verifier.judge(scene, node)
    except ReasonerError:
        raise
    except Exception as error:  # noqa: BLE001 - a verifier may be the user's own code
        return Verdict(0.0, BROKEN, f"{type(verifier).__name__} raised {type(error).__name__}: {error}"[:_DETAIL])
    if verdict is None:
        return None
    wrong = Verdict(0.0, BROKEN, f"{type(verifier).__name__} gave what is no verdict: {verdict!r}"[:_DETAIL])
    return _plain(verdict) or wrong


def _plain(verdict: object) -> Verdict | None:
    """A verdict in plain values, which can be written and read back; None where it is none."""
    if not isinstance(verdict, Verdict) or not isinstance(verdict.score, Real):
        return None
    texts = [verdict.source, verdict.detail, verdict.key]
    try:
        score = float(verdict.score)
    except OverflowError:
        return None
    if not isfinite(score) or not all(isinstance(text, str) for text in texts):
        return None
    return Verdict(score, *(str(text).encode("utf-8", "replace").decode() for text in texts))


def moves(
    task: Task,
    core: Core,
    world: World,
    toolbox: Toolbox,
    limits: Limits,
    level: str,
    tell: Callable[[Event], None],
    speech: SpeechConfig,
) -> Moves:
    """The moves that fit a core and a task: a core that knows the control tokens speaks, any other is driven."""
    writer = Writer(core, tell)
    if speaks(core):
        return Speaking(task, world, toolbox, writer, limits, level, speech)
    kind = Stepping if task.is_question else Coding
    return kind(task, world, toolbox, writer, limits, level)


def speaks(core: Core) -> bool:
    """Whether a core owns the protocol."""
    return Controls.of(core.tokenizer) is not None

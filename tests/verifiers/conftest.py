"""Scenes on the scripted core and the scripted sandbox."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest

from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.ledger import Ledger
from reasoner.protocols import Scene
from reasoner.sandboxes.scripted import Answer, ScriptedSandbox
from reasoner.toolbox import Toolbox
from reasoner.tree import Tree
from reasoner.types import Limits, Span, Step, Task, ToolResult


@pytest.fixture
def scene_of() -> Callable[..., Awaitable[Scene]]:
    """A scene at a tree's root whose prompt is the word "task"."""

    async def make(
        task: Task, replies: Sequence[Reply] = (), tools: Answer | Mapping[str, ToolResult] | None = None
    ) -> Scene:
        sandbox, core = ScriptedSandbox(tools), ScriptedCore(replies)
        world = await sandbox.open(task.files, Limits())
        tree = Tree(task.id)
        tree.plant([Step("task", "task", (Span(tuple(core.tokenizer.encode("task")), sampled=False),))], world.root)
        return Scene(task, tree, core, world, sandbox, Toolbox.standard(), Limits(), Ledger(clock=core.clock))

    return make

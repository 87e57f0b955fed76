"""Conversations on a scripted core; in the scripted world or in the real one."""

from collections.abc import Sequence
from pathlib import Path

from reasoner.conversation import Conversation, Session
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.protocols import Sandbox
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Single
from reasoner.types import Files, Json, ToolResult


def block(code: str) -> str:
    return f"```python\n{code}\n```\n"


def echoes(name: str, arguments: Json, files: Files) -> ToolResult:
    """A world that says how long the code is, and which files there are."""
    return ToolResult(f"{len(arguments['code'])} {sorted(files)}\n", cpu_s=0.5)


def reasoner(replies: Sequence[Reply], sandbox: Sandbox | None = None) -> Reasoner:
    core = ScriptedCore(replies)
    return Reasoner(core, sandbox or ScriptedSandbox(echoes), Single(), clock=core.clock)


def begun(folder: Path, replies: Sequence[str], sandbox: Sandbox | None = None) -> tuple[Conversation, ScriptedCore]:
    solver = reasoner([Reply(text) for text in replies], sandbox)
    assert isinstance(solver.core, ScriptedCore)
    session = Session.create(folder / "s", solver.core.info, {})
    return Conversation(solver, session), solver.core

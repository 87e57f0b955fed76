"""Variables and files of turns in a real world: taken back, branched off, and there again in another process."""

from pathlib import Path

import pytest

from reasoner.conversation import Conversation, Session
from reasoner.cores.scripted import Reply
from reasoner.protocols import Sandbox
from reasoner.sandboxes import open_sandbox
from tests.conversation.conftest import begun, block, reasoner

BOTH = block("x += 1\nopen('n.txt', 'a').write('+')\nprint('now', x, open('n.txt').read())")
LOOK = block("print('now', x, open('n.txt').read())")


@pytest.fixture
async def world():  # type: ignore[no-untyped-def]
    sandbox = await open_sandbox("bubblewrap")
    yield sandbox
    await sandbox.close()


def heard(talk: Conversation) -> str:
    """What the last turn's last block printed."""
    return [stop.heard.result.output for stop in talk.line[-1].stops() if stop.heard and stop.heard.result][-1].strip()


async def test_undo_fork_and_rewind_take_variables_and_files_back(tmp_path: Path, world: Sandbox) -> None:
    first = [block("x = 1\nopen('n.txt', 'w').write('a')"), BOTH, "Two."]
    talk, _ = begun(tmp_path, [*first, *[BOTH, "."] * 4, LOOK, "."], world)
    await talk.ask("begin")
    assert heard(talk) == "now 2 a+"
    await talk.ask("more")
    assert heard(talk) == "now 3 a++"
    talk.undo()
    await talk.ask("more")
    assert heard(talk) == "now 3 a++", "undone, then done"
    talk.fork(1)
    await talk.ask("more")
    assert heard(talk) == "now 3 a++", "on another branch"
    talk.rewind(1, 1)
    await talk.ask("more")
    assert heard(talk) == "now 2 a+", "from inside the first turn"
    talk.fork(2)
    await talk.ask("look")
    assert heard(talk) == "now 3 a++", "what was left is as it was"
    await talk.close()


async def test_a_step_inside_a_node_has_its_world_too(tmp_path: Path, world: Sandbox) -> None:
    first = [block("x = 1\nopen('n.txt', 'w').write('a')"), BOTH, "Two."]
    talk, _ = begun(tmp_path, [*first * 4, LOOK, "."], world)
    talk.effort = "medium"
    talk.reasoner.width = 1
    turn = await talk.ask("begin")
    assert turn.end and len(turn.tree[turn.end.node].steps) == 5 and len(turn.stops()) == 3
    talk.rewind(1)
    talk.effort = "low"
    await talk.ask("look")
    assert heard(talk) == "now 1 a"
    await talk.close()


async def test_another_process_finds_variables_and_files_as_they_were(tmp_path: Path, world: Sandbox) -> None:
    talk, core = begun(tmp_path, [block("x = 1\nopen('n.txt', 'a').write('b')"), "One.", BOTH, "Two."], world)
    await talk.ask("begin", files={"n.txt": b"a"})
    await talk.ask("more")
    assert heard(talk) == "now 2 ab+"
    await talk.close()

    solver = reasoner([Reply(text) for text in [LOOK, ".", BOTH, "."]], world)
    object.__setattr__(solver.core, "info", core.info)
    said: list[str] = []
    later = Conversation.load(solver, Session.load(tmp_path / "s"), notice=said.append)
    await later.ask("look")
    assert heard(later) == "now 2 ab+" and later.spent.tool_calls >= 5
    later.fork(1)
    await later.ask("more")
    assert heard(later) == "now 2 ab+" and said == []
    await later.close()

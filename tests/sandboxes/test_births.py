"""Children that are forked before a call wants them: nobody can tell them from others, and they are bounded."""

import asyncio

import pytest

from .conftest import LIMITS, Session

pytestmark = pytest.mark.asyncio(loop_scope="session")

COUNT = """
import os
pids = [name for name in os.listdir('/proc') if name.isdigit()]
sum(open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[0] not in 'ZX' for pid in pids)
"""
AHEAD = 8
"""As many may wait in a world of 256 interpreters."""


async def living(world, at):
    """Processes of the world that are not dead, the call that counts them among them; nothing of that call stays."""
    result, after = await world.cell(at, COUNT)
    assert result.error is None, result
    await world.world.release(after)
    return int(result.value)


async def test_a_child_that_waited_knows_what_its_parent_left_and_nothing_later(world):
    at = await world.after(world.root, "import random; random.seed(7); steps = [1]")
    for _ in range(3):
        at = await world.after(at, "steps.append(random.random())")
    first = await world.value(at, "steps, random.random()")
    assert await world.value(at, "steps.append('again'); steps.pop(), random.random()") != first
    assert await world.value(at, "steps, random.random()") == first


async def test_what_waits_goes_with_the_snapshot_that_it_waits_for(world):
    before = await living(world, world.root)
    made = [world.root]
    for i in range(4):
        made.append(await world.after(made[-1], f"x = {i}"))
    for snapshot in made[1:]:
        await world.world.release(snapshot)
    for _ in range(40):
        left = await living(world, world.root)
        if left <= before:
            break
        await asyncio.sleep(0.05)
    assert left <= before


async def test_no_more_children_wait_than_a_world_has_room_for(sandbox):
    opened = await sandbox.open({}, LIMITS)
    try:
        world = Session(opened)
        tips = [await world.after(world.root, f"x = {i}") for i in range(AHEAD + 6)]
        tips = [await world.after(at, "x += 1") for at in tips]
        count = await living(world, world.root)
        assert (
            count <= 2 + 2 * len(tips) + AHEAD + 1
        )  # supervisor and root; both rows; those that wait; the call itself
        assert [await world.value(at, "x") for at in tips] == [str(i + 1) for i in range(len(tips))]
    finally:
        await opened.close()


async def test_a_hook_that_hangs_in_the_child_that_waits_costs_its_own_line_alone(world):
    at = await world.after(world.root, "kept = 1")
    hung = await world.after(at, "import os, time; os.register_at_fork(after_in_child=lambda: time.sleep(600)); 0")
    result, _ = await world.cell(hung, "1", wall_s=1.0)
    assert result.error in ("timeout", "killed")
    assert await world.value(at, "kept") == "1"
    assert await world.answers()


async def test_a_hook_that_ends_the_child_that_waits_leaves_a_world_that_answers(world):
    at = await world.after(world.root, "kept = 1")
    dying = await world.after(at, "import os; os.register_at_fork(after_in_child=lambda: os._exit(3)); 0")
    result, _ = await world.cell(dying, "1", wall_s=2.0)
    assert result.error == "killed"
    assert await world.value(at, "kept") == "1"


async def test_the_waiting_child_of_a_call_that_failed_is_not_kept(world):
    at = await world.after(world.root, "kept = 1")
    before = await living(world, at)
    result, same = await world.cell(at, "print('x' * 10_000_000)", output=1000)
    assert result.error == "output"
    assert await living(world, same) <= before + 1

"""Whatever is forked, rewound, cancelled or dropped, a completion equals a plain recompute of its prefix."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoner.completions import Completion, Sampling
from reasoner.cores.local import LocalCore

BYTES_PER_TOKEN = 2 * 3 * 2 * 8 * 4

ACTION = st.tuples(
    st.integers(0, 30),  # which earlier prefix
    st.integers(0, 40),  # how much of it is kept
    st.lists(st.integers(0, 3), min_size=1, max_size=20),  # a tool's output
    st.integers(1, 12),  # tokens to sample
    st.sampled_from(["wait", "with", "cancel", "score"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actions=st.lists(ACTION, min_size=1, max_size=12), slots=st.sampled_from([90, 140, 4000]), rows=st.integers(1, 5)
)
def test_random_forks_rewinds_cancellations_and_evictions(
    tiny: Any, actions: list[tuple[int, int, list[int], int, str]], slots: int, rows: int
) -> None:
    asyncio.run(drive(tiny, actions, slots, rows))


async def drive(tiny: Any, actions: list[tuple[int, int, list[int], int, str]], slots: int, rows: int) -> None:
    core = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=slots * BYTES_PER_TOKEN, max_rows=rows)
    known: list[list[int]] = [[0, 1, 2]]
    open_tasks: list[tuple[list[int], asyncio.Task[Completion]]] = []
    for which, keep, tool, count, how in actions:
        prefix = (known[which % len(known)][: max(1, keep)] + tool)[:60]
        if how == "score":
            assert_close((await core.score(prefix, tool)).logprobs, tiny.logprobs(prefix, tool))
            continue
        task = asyncio.create_task(core.complete(prefix, Sampling(max_tokens=count)))
        if how == "cancel":
            await asyncio.sleep(0.002)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            continue
        open_tasks.append((prefix, task))
        if how == "wait":
            for asked, running in open_tasks:
                known.append(asked + check(tiny, asked, await running))
            open_tasks.clear()
    for asked, running in open_tasks:
        check(tiny, asked, await running)
    await core.complete([0], Sampling(max_tokens=2))
    await core.close()
    cache = core._engine.cache
    held = sum(len(n.slots) for n in cache.nodes())
    assert held + cache.free_slots == cache.capacity, "with nothing in flight every slot is free or in the tree"
    assert all(n.locks == 0 for n in cache.nodes())


def check(tiny: Any, prefix: list[int], done: Completion) -> list[int]:
    """Greedy means that a recompute, too, finds each of its tokens the most likely one in its place."""
    best = tiny.table(prefix, done.ids).max(dim=-1)
    assert list(done.ids) == best.indices.tolist()
    assert_close(list(done.logprobs), best.values.tolist())
    return list(done.ids)


def assert_close(got: list[float], expected: list[float]) -> None:
    assert max(abs(a - b) for a, b in zip(got, expected, strict=True)) < 1e-4

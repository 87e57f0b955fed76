"""Many tasks over one core: each exactly once, whatever fails or ends the run in between."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from reasoner import trace
from reasoner.batch import Record, run, summarise
from reasoner.batch.attempts import abreast
from reasoner.cores.scripted import Reply
from reasoner.errors import CoreError, RefusedError, SandboxError
from reasoner.ledger import Budget
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN
from reasoner.stopping import BudgetSpent
from reasoner.types import Task


def compared(records):
    return sorted((r.compared() for r in records), key=lambda r: (r["task"], r["epoch"]))


async def test_every_task_has_one_record_and_a_trace_that_can_be_read(reasoner, jobs, folder) -> None:
    with folder() as into:
        await run(reasoner(), jobs(20, epochs=2), into, workers=7)
        records = list(into.records())
    assert sorted(r.key for r in records) == sorted((f"q/{n}", e) for n in range(20) for e in range(2))
    for record in records:
        kept = trace.read(into.path / record.trace)
        assert kept.began.task.id == record.task and kept.began.seed == record.seed == record.epoch
    assert {r.outcome for r in records} == {"solved", "unsolved"}


async def test_epochs_differ_by_their_seed_and_a_seed_is_the_same_tree(reasoner, jobs, folder) -> None:
    with folder() as into:
        await run(reasoner(), jobs(12, epochs=3), into, workers=5)
        answers = {r.key: r.answer for r in into.records()}
    assert len({tuple(answers[f"q/{n}", e] for n in range(12)) for e in range(3)}) == 3
    direct = await reasoner(seed=2).solve(jobs(12)[5].task)
    assert direct.answer == answers["q/5", 2]


async def test_running_again_does_nothing_again(reasoner, jobs, folder) -> None:
    with folder() as into:
        await run(reasoner(), jobs(6), into)
    before = (into.path / "results.jsonl").read_bytes()
    again = reasoner()
    with folder() as into:
        await run(again, jobs(6), into)
        await run(again, jobs(8), into)
    assert len(again.core.asked) == 2
    assert (into.path / "results.jsonl").read_bytes().startswith(before)


async def test_a_run_begins_no_task_once_its_budget_is_spent_and_a_larger_one_goes_on(reasoner, jobs, folder) -> None:
    with folder() as into:
        await run(reasoner(), jobs(20), into, workers=2)
        whole, spent = compared(into.records()), into.spent
    assert spent.tokens == summarise(into.records(), 20).tokens > 0
    with folder(force_new=True) as into:
        await run(reasoner(), jobs(20), into, workers=2, within=Budget(spent.tokens // 2))
        assert 5 < len(into.done) < 15 and spent.tokens // 2 <= into.spent.tokens < spent.tokens
        again = reasoner()
        await run(again, jobs(20), into, workers=2, within=Budget(spent.tokens // 2))
        assert not again.core.asked, "it is still spent"
    with folder() as into:
        await run(reasoner(), jobs(20), into, workers=2, within=Budget(2 * spent.tokens))
        assert compared(into.records()) == whole


async def test_a_run_that_is_cancelled_lets_go_keeps_its_traces_and_goes_on_later(reasoner, jobs, folder) -> None:
    done = asyncio.Event()

    class Ten:
        def begun(self, job):
            return lambda event: None

        def kept(self, job, record):
            if len(into.done) == 10:
                done.set()

    with folder() as into:
        whole = asyncio.create_task(run(reasoner(), jobs(40), into, workers=3, watcher=Ten()))
        await done.wait()
        whole.cancel()
        with pytest.raises(asyncio.CancelledError):
            await whole
        half = len(into.done)
        assert 10 <= half < 40
        assert len(list(into.traces.iterdir())) > half, "what was in flight is kept"
    with folder() as into:
        await run(reasoner(), jobs(40), into, workers=3)
        found = list(into.records())
    with folder(force_new=True) as into:
        await run(reasoner(), jobs(40), into, workers=3)
        assert compared(found) == compared(into.records())


async def test_what_was_broken_off_is_in_the_totals_once_its_task_has_a_record(reasoner, jobs, folder) -> None:
    ended = asyncio.Event()

    class Reader:
        """Ends the run once a task has a node, which is paid for by then."""

        def begun(self, job):
            return lambda event: ended.set() if isinstance(event, trace.Added) and event.node.id else None

        def kept(self, job, record):
            pass

    def says(text, sampling):
        return Reply("Let me see.\nAnswer: 1", seconds=1.0)

    def solver():
        return replace(reasoner(says), strategy=BestOfN(6), width=1)

    for _ in range(2):
        ended.clear()
        with folder() as into:
            whole = asyncio.create_task(run(solver(), jobs(1), into, watcher=Reader()))
            await ended.wait()
            whole.cancel()
            with pytest.raises(asyncio.CancelledError):
                await whole
    with folder() as into:
        broken = [trace.read(path).spent for path in into.traces.iterdir()]
        await run(solver(), jobs(1), into)
        [record] = into.records()
    assert len(broken) == 2 and all(cost.decoded > 0 for cost in broken)
    assert record.attempt == 3 and record.lost["decoded"] == sum(cost.decoded for cost in broken)
    assert summarise([record], 1).tokens == record.tokens + sum(cost.tokens for cost in broken)


async def test_what_our_surroundings_do_wrong_is_tried_again_and_never_counts_as_unsolved(
    reasoner, jobs, folder
) -> None:
    left = {"failures": 2}

    def flaky(text, sampling):
        left["failures"] -= 1
        return Reply(fails="the server is away") if left["failures"] >= 0 else Reply("Answer: 0")

    with folder() as into:
        await run(reasoner(flaky), jobs(1), into, pauses=(0.0, 0.0))
        records = list(into.records())
    assert [(r.outcome, r.attempt, r.reason) for r in records] == [
        ("failed", 1, "the server is away"),
        ("failed", 2, "the server is away"),
        ("solved", 3, "the strategy has nothing left to try"),
    ]
    summary = summarise(records, 1)
    assert (summary.solved, summary.graded, summary.failed) == (1, 1, 0)


async def test_what_an_attempt_cost_before_it_failed_is_counted(reasoner, jobs, folder) -> None:
    left = ["Answer: 0", "Answer: 1"]

    def flaky(text, sampling):
        return Reply(left.pop(0)) if left else Reply(fails="the server is away")

    solver = reasoner(flaky, width=1)
    solver.strategy = BestOfN(8)
    solver.stop = BudgetSpent()
    with folder() as into:
        await run(solver, jobs(1), into, pauses=())
        [record] = into.records()
    assert record.outcome == "failed" and record.spent["decoded"] == 2 * len("Answer: 0 ")
    assert record.tokens == summarise([record], 1).tokens == trace.read(into.path / record.trace).spent.tokens


async def test_a_task_that_failed_is_tried_again_on_resume_and_the_others_are_not(reasoner, jobs, folder) -> None:
    broken = {"What is 3 "}

    def says(text, sampling):
        return Reply(fails="lost") if any(part in text for part in broken) else Reply("Answer: 1")

    with folder() as into:
        await run(reasoner(says), jobs(8), into, pauses=(0.0,))
        assert summarise(into.records(), 8).outcomes["failed"] == 1
    broken.clear()
    mended = reasoner(says)
    with folder() as into:
        await run(mended, jobs(8), into)
        summary = summarise(into.records(), 8)
    assert len(mended.core.asked) == 1
    assert (summary.done, summary.failed) == (8, 0)


async def test_a_task_that_a_well_server_refuses_is_unusable_at_once_and_holds_nobody_up(
    reasoner, jobs, folder
) -> None:
    def says(text, sampling):
        if "What is 0 " in text:
            raise RefusedError("the server answered 400 (this prompt is filtered): shorten the prompt")
        return Reply("Answer: 1")

    with folder() as into:
        await run(reasoner(says), jobs(4), into, workers=1)
        records = list(into.records())
    assert [r.outcome for r in records if r.task == "q/0"] == ["unusable"]
    assert len(records) == len(into.done) == 4


async def test_what_failed_before_comes_last_when_a_run_is_gone_on_with(reasoner, jobs, folder) -> None:
    def says(text, sampling):
        return Reply(fails="lost") if any(f"What is {n} " in text for n in (0, 1, 2)) else Reply("Answer: 1")

    for _ in range(2):
        with folder() as into, pytest.raises(CoreError, match="3 tasks in a row failed"):
            await run(reasoner(says), jobs(6), into, workers=1, pauses=())
    assert [r.task for r in into.records()] == ["q/0", "q/1", "q/2", "q/3", "q/4", "q/5", "q/0", "q/1", "q/2"]


async def test_when_everything_fails_the_run_ends_before_it_has_tried_everything(reasoner, jobs, folder) -> None:
    dead = reasoner(lambda text, sampling: Reply(fails="the engine is gone"))
    with folder() as into:
        with pytest.raises(CoreError, match="3 tasks in a row failed, so the run was ended; the last said: the engine"):
            await run(dead, jobs(50), into, workers=2, pauses=())
        assert 3 <= len(list(into.records())) <= 5 and not into.done


async def test_a_sandbox_that_cannot_open_is_a_failure_of_ours(reasoner, jobs, folder) -> None:
    class Closed(ScriptedSandbox):
        async def open(self, files, limits):
            raise SandboxError("no world can be opened: free some memory")

    solver = reasoner()
    solver.sandbox = Closed()
    with folder() as into:
        await run(solver, jobs(1), into, pauses=(0.0,))
        assert [r.outcome for r in into.records()] == ["failed", "failed"]


async def test_a_task_that_cannot_be_put_to_a_model_is_said_once_and_the_others_run(reasoner, jobs, folder) -> None:
    bad = Task("bad", "Do it.", {"a.py": b"\xff"}, ("a.py",))
    from reasoner.batch import Job

    with folder() as into:
        await run(reasoner(), [Job(bad), *jobs(3)], into)
        records = {r.task: r for r in into.records()}
    assert len(records) == 4
    assert records["bad"].outcome in ("unusable", "unsolved")


async def test_hostile_ids_name_no_file_elsewhere(reasoner, folder, tmp_path: Path) -> None:
    from reasoner.batch import Job

    ids = ["../../etc/passwd", "\x1b[2J", "a/b", "a-b", "", "." * 300, "é" * 300]
    with folder() as into:
        await run(reasoner(), [Job(Task(each, "?")) for each in ids], into)
        records: list[Record] = list(into.records())
    assert {r.task for r in records} == set(ids)
    assert {path.parent for path in tmp_path.rglob("*.jsonl")} == {into.path, into.traces}
    assert len({r.trace for r in records}) == len(ids) and all(r.trace.isascii() for r in records)


async def test_who_looks_on_is_told_of_every_job_and_hears_its_search(reasoner, jobs, folder) -> None:
    heard: list[str] = []

    class Log:
        def begun(self, job):
            heard.append(f"begun {job.task.id}")
            return lambda event: heard.append(type(event).__name__)

        def kept(self, job, record):
            heard.append(f"kept {record.task}")

    with folder() as into:
        await run(reasoner(), jobs(1), into, watcher=Log())
    assert heard[0] == "begun q/0" and heard[-1] == "kept q/0"
    assert {"Began", "Wrote", "Finished"} <= set(heard)


@pytest.mark.parametrize(
    ("width", "rows", "jobs", "each"), [(8, 64, 1, 8), (8, 64, 10, 6), (8, 64, 500, 1), (2, 64, 8, 2), (8, 4, 0, 4)]
)
def test_tasks_share_the_rows_of_a_core(width: int, rows: int, jobs: int, each: int) -> None:
    assert abreast(width, rows, jobs) == each


@pytest.mark.parametrize(("count", "most"), [(2, 4), (40, 1)])
async def test_beside_many_others_a_task_grows_one_attempt_at_a_time(
    count: int, most: int, reasoner, jobs, folder
) -> None:
    with folder() as into:
        await run(replace(reasoner(), strategy=BestOfN(4)), jobs(count), into)
    paths = sorted((into.path / "traces").glob("*.jsonl"))
    assert len(paths) == count and {_abreast(path) for path in paths} == {most}


def _abreast(path: Path) -> int:
    """Heads that were open at once, at most."""
    growing, most = set[int](), 0
    for event in trace.read(path).events:
        match event:
            case trace.Opened(head):
                growing.add(head.id)
            case trace.Added(_, int(head)):
                growing.discard(head)
        most = max(most, len(growing))
    return most

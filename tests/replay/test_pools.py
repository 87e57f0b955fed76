"""Which records make pools, and what is said of those that make none."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reasoner import tasks
from reasoner.completions import Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.errors import TraceError
from reasoner.protocols import StopPolicy, Strategy
from reasoner.replay import curve, policy, read_pools, selection
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN, Revise
from reasoner.stopping import Agrees, FirstOf, Leads
from reasoner.trace import Recorder
from reasoner.types import Suite, Task, ToolResult

NEVER = FirstOf(())


def row(task: str, sample: int, **more: object) -> str:
    found = {"task": task, "sample": sample, "prompt": 50, "ids": [1, 2, 3], "text": "x", "logprobs": [-0.5, 0.0, -1.0]}
    return json.dumps({**found, "finish": "stop", "correct": False, **more})


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return path


def test_rows_are_pools_with_their_first_test_visible_and_the_greedy_one_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mbpp.jsonl",
        row("7", -1, tests=["passed"] * 3, correct=True),
        row("7", 1, tests=["passed", "failed", "passed"]),
        row("7", 0, tests=[], error="no"),
    )
    [pool] = read_pools([path])
    assert (pool.task, pool.prompt, len(pool.samples)) == ("7", 50, 2)
    assert [s.score("visible") for s in pool.samples] == [0.0, 1.0], "in the order of their numbers"
    assert pool.samples[0].score("certainty") == pytest.approx(0.60653, abs=1e-4)
    assert pool.samples[0].score("lowest") == pool.samples[0].score("certainty"), "of fewer tokens than a window, all"
    assert pool.samples[0].tokens == 3 and not any(s.correct for s in pool.samples)
    [all_seen] = read_pools([path], "all")
    assert [s.score("visible") for s in all_seen.samples] == [0.0, pytest.approx(2 / 3)]


def test_a_single_hidden_test_is_never_taken_for_a_visible_one(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", row("g/1", 0, tests=["passed"], correct=True))
    [pool] = read_pools([path])
    assert pool.samples[0].score("visible") is None and pool.samples[0].correct


def test_answers_vote_by_their_value(tmp_path: Path) -> None:
    lines = [row("g/1", i, answer=a) for i, a in enumerate([48.0, 48, 1234567.0, 1234568.0, None])]
    [pool] = read_pools([write(tmp_path / "g.jsonl", *lines)])
    keys = [s.key for s in pool.samples]
    assert keys[0] == keys[1] and len(set(keys)) == 4 and keys[4] == ""


def test_a_last_row_that_was_cut_is_left_out_and_another_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", row("1", 0), row("1", 1)[:40], end="")
    [pool] = read_pools([path])
    assert len(pool.samples) == 1
    write(path, row("1", 0), "{}", row("1", 1))
    with pytest.raises(TraceError, match=r"a\.jsonl, line 2: no recorded sample"):
        read_pools([path])
    write(path, json.dumps({"task": "1", "sample": 0, "prompt": 5}))
    with pytest.raises(TraceError, match="a sample of task 1 lacks what a replay needs"):
        read_pools([path])


def test_what_is_no_record_is_said(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="holds no trace"):
        read_pools([tmp_path])
    with pytest.raises(TraceError, match="does not exist"):
        read_pools([tmp_path / "nothing"])
    for text in ("", "hello\n", "[1]\n", '{"a": 1}\n'):
        (tmp_path / "x.jsonl").write_text(text)
        with pytest.raises(TraceError, match="neither a trace nor recorded samples"):
            read_pools([tmp_path / "x.jsonl"])
    with pytest.raises(TraceError, match="nothing to replay: no file holds samples besides a greedy one"):
        read_pools([write(tmp_path / "x.jsonl", row("1", -1))])


def test_in_a_folder_files_of_another_kind_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "results.jsonl", '{"outcome": "solved"}')
    (tmp_path / "odd.jsonl").write_text("not JSON\n")
    write(tmp_path / "pool.jsonl", row("1", 0))
    assert [pool.task for pool in read_pools([tmp_path])] == ["1"]
    (tmp_path / "pool.jsonl").unlink()
    with pytest.raises(TraceError, match="there is nothing to replay"):
        read_pools([tmp_path])


def test_one_task_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.jsonl", row("1", 0))
    with pytest.raises(TraceError, match=r"task 1 is in .*a\.jsonl and in .*b\.jsonl"):
        read_pools([tmp_path])


def test_samples_of_which_no_test_was_run_have_none(tmp_path: Path) -> None:
    [pool] = read_pools([write(tmp_path / "a.jsonl", row("1", 0, tests=None, correct=True), row("1", 1, tests=5))])
    assert [s.score("visible") for s in pool.samples] == [None, None]
    [pool] = read_pools([write(tmp_path / "a.jsonl", row("1", 0, tests=None), row("1", 1, tests=["passed"] * 2))])
    assert [s.score("visible") for s in pool.samples] == [0.0, 1.0]


def recorded(
    path: Path,
    task: Task,
    strategy: Strategy,
    name: str = "scripted",
    stop: StopPolicy = NEVER,
    seconds: Sequence[float] = (1, 1, 1, 1),
    width: int = 1,
) -> Path:
    texts = ["Answer: 47", "Answer: 48", "Answer: 48", "Answer: 12"]
    replies = [Reply(text, time, logprob=-0.1) for text, time in zip(texts, seconds, strict=True)]
    core = ScriptedCore(replies, name=name)
    sandbox = ScriptedSandbox({"run_tests": TESTED})
    solver = Reasoner(core, sandbox, strategy, stop=stop, width=width, clock=core.clock)
    recorder = Recorder(path, core.clock)
    asyncio.run(solver.solve(task, recorder))
    recorder.close()
    return path


TESTED = ToolResult(value={"tests": [{"name": "a", "outcome": "failed", "message": ""}], "error": "", "trust": "weak"})


def question(folder: Path, name: str = "q") -> Task:
    line = {"task_id": name, "question": "How many legs have 6 spiders?", "answer": "#### 48"}
    return tasks.load(write(folder / f"{name}.tasks", json.dumps(line)))


def test_a_trace_of_independent_samples_is_a_pool_graded_by_the_answer_its_task_still_has(tmp_path: Path) -> None:
    path = recorded(tmp_path / "t.jsonl", question(tmp_path), BestOfN(4, Sampling(temperature=1.0)))
    [pool] = read_pools([path])
    assert [(s.correct, s.key) for s in pool.samples] == [(False, "47"), (True, "48"), (True, "48"), (False, "12")]
    assert pool.prompt > 0 and pool.samples[0].tokens == len("Answer: 47") + 1
    assert pool.samples[0].score("certainty") == pytest.approx(0.9048, abs=1e-3)
    (tmp_path / "q.tasks").unlink()
    with pytest.raises(TraceError, match="the reference answer cannot be read again"):
        read_pools([path])


def test_samples_come_in_the_order_in_which_they_were_begun(tmp_path: Path) -> None:
    path = recorded(tmp_path / "t.jsonl", question(tmp_path), BestOfN(4), seconds=(9, 3, 1, 5), width=4)
    [pool] = read_pools([path])
    assert [s.key for s in pool.samples] == ["47", "48", "48", "12"] and not pool.ordered


def test_a_search_that_ended_by_its_answers_says_something_in_its_own_order_alone(tmp_path: Path) -> None:
    path = recorded(tmp_path / "t.jsonl", question(tmp_path), BestOfN(4), stop=Leads("answer", 0.6))
    [pool] = read_pools([path])
    assert pool.ordered and [s.key for s in pool.samples] == ["47", "48", "48"]
    one, many = (curve([pool], "fixed:1", policy("fixed:1"), selection("vote"), orders=orders) for orders in (1, 50))
    assert one == many and one[0].accuracy.value == 0.0
    with pytest.raises(TraceError, match="nobody knows how often samples of"):
        policy("calls")([pool])


def test_a_search_that_ended_beside_an_earlier_sample_is_refused(tmp_path: Path) -> None:
    stop = Agrees("answer", 2)
    path = recorded(tmp_path / "t.jsonl", question(tmp_path), BestOfN(4), stop=stop, seconds=(9, 3, 1, 5), width=4)
    with pytest.raises(TraceError, match=r"ended while its sample 1 was being written.*record with --width 1"):
        read_pools([path])


def test_a_search_whose_attempts_hang_on_each_other_is_no_pool(tmp_path: Path) -> None:
    path = recorded(tmp_path / "t.jsonl", question(tmp_path), Revise(3))
    with pytest.raises(TraceError, match="the move 'revise' is no pool of independent samples"):
        read_pools([path])


def test_samples_of_which_nobody_knows_whether_they_are_right_are_refused(tmp_path: Path) -> None:
    suite = Suite("asserts", asserts=("assert f()",))
    task = Task("c", "Write f.", {}, ("solution.py",), suite, suite)
    with pytest.raises(TraceError, match="nobody knows which samples are right"):
        read_pools([recorded(tmp_path / "t.jsonl", task, BestOfN(2))])
    [pool] = read_pools([recorded(tmp_path / "u.jsonl", replace(task, hidden=None), BestOfN(2))])
    assert [s.correct for s in pool.samples] == [False, False]


def test_traces_of_different_models_are_not_mixed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        recorded(tmp_path / f"{name}.jsonl", question(tmp_path, name), BestOfN(2), name)
    with pytest.raises(TraceError, match=r"of different models \(one \(.*two"):
        read_pools([tmp_path])


def test_rows_of_two_cores_are_no_pools_of_one(tmp_path: Path) -> None:
    path = write(tmp_path / "both.jsonl", row("7", 0, core="a" * 12), row("8", 0, core="b" * 12))
    with pytest.raises(TraceError, match="of different models"):
        read_pools([path])

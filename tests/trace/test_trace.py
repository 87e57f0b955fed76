from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from reasoner import trace
from reasoner.completions import Sampling
from reasoner.errors import TraceError
from reasoner.ledger import Cost
from reasoner.trace import Added, Began, Dropped, Opened, Recorder, Stopped
from reasoner.tree import Tree
from reasoner.types import Expand, Span, Step, Stop, Suite, Task, ToolCall, ToolResult, Verdict

TASK = Task("t", "Text with ü and \x00.", {"a.bin": bytes(range(256))}, ("a.bin",), Suite("asserts", asserts=("x",)))
BEGAN = Began(TASK, "core", "00ff", "bwrap", seed=3, config={"search": {"width": 8}})
STEP = Step(
    "act",
    "x = 1",
    (Span((1, 2), sampled=False), Span((3,), sampled=True, logprobs=(-0.25,))),
    ToolCall("run_tests", {"a": [1, None, {"b": "c"}]}),
    ToolResult("out", {"tests": []}, "timeout", "too slow", wall_s=0.5),
)


def events() -> list[trace.Event]:
    tree = Tree("t", 3)
    tree.plant([STEP], "s0")
    head = tree.opened(Expand(0, "attempt", Sampling(temperature=0.5, stop=("a",)), learnt=None))
    late = tree.opened(Expand(0, "attempt", Sampling()))
    node = tree.add(head, [STEP], "s1", [Verdict(0.5, "visible", "1/2")], Cost(decoded=3))
    return [
        BEGAN, Added(tree[0]), Opened(head), Opened(late), Added(tree[node], head.id),
        Dropped(late.id, "stopped", Cost(decoded=1)), Stopped(Stop("enough", 0.5)),
    ]  # fmt: skip


def write(path: Path, what: list[trace.Event]) -> None:
    recorder = Recorder(path, lambda: 0.0)
    for event in what:
        recorder(event)
    recorder.close()


def test_every_event_comes_back_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "t.jsonl", events())
    assert trace.read(tmp_path / "t.jsonl").events == events()


def test_what_is_only_shown_is_not_recorded(tmp_path: Path) -> None:
    write(tmp_path / "t.jsonl", [BEGAN, trace.Entered(0, "act"), trace.Wrote(0, "x", 1)])
    assert trace.read(tmp_path / "t.jsonl").events == [BEGAN]


@pytest.mark.parametrize("keep", [-1, -10, -100])
def test_a_trace_that_was_cut_keeps_all_that_came_before(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "t.jsonl"
    write(path, events())
    path.write_bytes(path.read_bytes()[: keep - 1])
    kept = trace.read(path)
    assert kept.cut and kept.events == events()[: len(kept.events)]
    assert not kept.tree().in_flight


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    write(path, events())
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b'{"event": "added"}', *lines[2:]]))
    with pytest.raises(TraceError, match="line 2"):
        trace.read(path)


def test_a_trace_of_another_version_says_which(tmp_path: Path) -> None:
    line = trace.encode(replace(BEGAN, version=99), 0.0)
    with pytest.raises(TraceError, match="version 99"):
        trace.decode(line)


@pytest.mark.parametrize("line", [b"", b"null", b"[1]", b'{"event": "eval"}', b"\xff\xfe", b'{"event": 5, "data": {}}'])
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(TraceError):
        trace.decode(line)


def test_times_stand_beside_the_events() -> None:
    first, second = (msgspec.json.decode(trace.encode(BEGAN, at)) for at in (1.0, 2.0))
    assert first.pop("at") != second.pop("at") and first == second


def test_a_trace_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "t.jsonl", events())
    with pytest.raises(TraceError, match="choose another"):
        Recorder(tmp_path / "t.jsonl", lambda: 0.0)


def test_heads_that_do_not_follow_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "t.jsonl", [events()[i] for i in (0, 1, 3)])
    with pytest.raises(TraceError, match="does not follow"):
        trace.read(tmp_path / "t.jsonl").tree()

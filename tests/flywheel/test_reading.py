import json
from dataclasses import replace
from pathlib import Path

import pytest

from reasoner.dialect.spoken import Spoken
from reasoner.errors import ConfigError, TraceError
from reasoner.flywheel import files
from reasoner.flywheel.contamination import Measured
from reasoner.flywheel.reading import Wanted, gather, in_split, traces
from reasoner.flywheel.rows import Episode, Judged, Pair, Row
from reasoner.trace import Added, Trace, encode
from reasoner.types import Span
from tests.flywheel.test_lessons import BAD, GOOD, SPOKEN, TASK, TOKENIZER, recorded

BOTH = ((BAD, False), (GOOD, True))
HERE = Path("trace.jsonl")


def named(task_id: str, prompt: str = "Double it.") -> Trace:
    trace = recorded(*BOTH)
    began = trace.began
    trace.events[0] = replace(began, task=replace(began.task, id=task_id, prompt=prompt))
    return trace


def test_rows_that_are_there_twice_or_too_long_are_left_out_and_counted() -> None:
    twice = [(HERE, recorded(*BOTH)), (HERE, recorded(*BOTH))]
    found = gather(twice, SPOKEN, Wanted(10_000))
    assert len(found.episodes) == 3 and found.left_out["rows that are there twice"] == 6
    short = gather(twice, SPOKEN, Wanted(20))
    assert not short.episodes and short.left_out["rows longer than the context"] == 6


def test_a_task_gives_the_shortest_of_what_was_solved_and_one_recovery() -> None:
    short, other = "def f(x): return 2*x", "def f(x): return 1"
    several = recorded((BAD, False), (GOOD, True), (other, False), (short, True))
    found = gather([(HERE, several)], SPOKEN, Wanted(10_000))
    assert sorted(episode.kind for episode in found.episodes) == ["risen", "solved", "turned"]
    assert all(short in text(episode) for episode in found.episodes if episode.kind != "turned")
    assert found.left_out["rows beyond those of one kind that a task may give"] == 2
    assert len(gather([(HERE, several)], SPOKEN, Wanted(10_000, each=9)).episodes) == 5


def test_rows_beyond_a_number_are_left_out_by_a_seed_and_counted() -> None:
    tasks = [replace(TASK, id=str(n), prompt=f"Double {n}.") for n in range(20)]
    many = [(HERE, recorded(*BOTH, task=task)) for task in tasks]
    first, again, other = (
        [e.task for e in gather(many, SPOKEN, Wanted(10_000, rows=12, seed=seed)).episodes] for seed in (1, 1, 2)
    )
    assert first == again != other and len(first) == 12
    assert gather(many, SPOKEN, Wanted(10_000, rows=12)).left_out["rows beyond the number asked for"] == 48


def text(episode: Episode) -> str:
    return TOKENIZER.decode([i for step in episode.steps for i in step.ids if i < 256])


def test_a_task_is_on_one_side_of_the_split_whatever_else_is_there() -> None:
    sides = [in_split(str(n), "check") for n in range(400)]
    assert 20 < sum(sides) < 60
    assert all(in_split(str(n), "train") != side for n, side in enumerate(sides))


def test_a_trace_of_another_tokenizer_is_refused() -> None:
    class Other(type(TOKENIZER)):  # type: ignore[misc]
        def decode(self, ids: object) -> str:
            return "?"

    with pytest.raises(TraceError, match="whose tokenizer is another one"):
        gather([(HERE, recorded(*BOTH))], Spoken(Other()), Wanted(10_000))
    trace = recorded(*BOTH)
    added = trace.events[1]
    assert isinstance(added, Added)
    step = replace(added.node.steps[0], spans=(Span((151_000,), False),))
    trace.events[1] = replace(added, node=replace(added.node, steps=(step,)))
    with pytest.raises(TraceError, match="whose tokenizer is another one"):
        gather([(HERE, trace)], SPOKEN, Wanted(10_000))


LONG = "Write a function that returns the sum of all even numbers of a list and nothing else"


def test_the_very_task_that_is_measured_on_is_refused(tmp_path: Path) -> None:
    held = tmp_path / "held.jsonl"
    held.write_text(json.dumps({"task_id": 7, "text": LONG}) + "\n")
    with pytest.raises(ConfigError, match="is what the core is to be measured on"):
        gather([(HERE, named("t", LONG.upper()))], SPOKEN, Wanted(10_000, measured=Measured.files([held])))


def test_a_task_that_shares_a_run_of_words_is_left_out(tmp_path: Path) -> None:
    held = tmp_path / "held.jsonl"
    held.write_text(json.dumps({"task_id": 7, "text": LONG}) + "\n")
    found = gather([(HERE, named("t", LONG + ", please"))], SPOKEN, Wanted(10_000, measured=Measured.files([held])))
    assert not found.episodes and sum(found.left_out.values()) == 1
    apart = gather(
        [(HERE, named("t", "Write a function that sorts"))], SPOKEN, Wanted(10_000, measured=Measured.files([held]))
    )
    assert apart.episodes


def test_traces_are_found_below_a_folder_among_other_files(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "results.jsonl").write_text('{"task": 1}\n')
    lines = b"".join(encode(event, 0.0) + b"\n" for event in recorded(*BOTH).events)
    (tmp_path / "traces" / "t.jsonl").write_bytes(lines)
    assert [path.name for path, _ in traces([tmp_path])] == ["t.jsonl"]
    with pytest.raises(TraceError, match="does not exist"):
        list(traces([tmp_path / "none"]))


def test_rows_come_back_from_their_files(tmp_path: Path) -> None:
    found = gather([(HERE, recorded(*BOTH))], SPOKEN, Wanted(10_000))
    files.write(map(files.sft_line, found.rows), tmp_path / "sft.jsonl")
    files.write((files.dpo_line(p, TOKENIZER) for p in found.pairs), tmp_path / "dpo.jsonl")
    files.write((files.steps_line(j, TOKENIZER) for j in found.judged), tmp_path / "steps.jsonl")
    assert files.read(tmp_path / "sft.jsonl", Row) == found.rows
    assert files.read(tmp_path / "dpo.jsonl", Pair) == found.pairs
    assert files.read(tmp_path / "steps.jsonl", Judged) == found.judged
    with pytest.raises(TraceError, match="export with --format dpo"):
        files.read(tmp_path / "sft.jsonl", Pair)


def test_messages_weigh_what_is_learnt_and_hand_over_what_tools_said() -> None:
    (_, turned, _) = gather([(HERE, recorded(*BOTH))], SPOKEN, Wanted(10_000)).episodes
    messages = files.messages_line(turned, TOKENIZER)["messages"]
    assert [(m["role"], m.get("weight")) for m in messages] == [
        ("system", None), ("user", None), ("assistant", 0), ("tool", None), ("assistant", 1)
    ]  # fmt: skip
    assert messages[2]["content"] == f"<|act|>{BAD}\n<|end|>"
    assert messages[1]["content"].startswith("Double it.")

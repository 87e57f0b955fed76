import json
import subprocess
from dataclasses import replace
from pathlib import Path

from reasoner.repl.answer import Answer, changed
from reasoner.types import Files, Report, Result, Status, Stop, Suite, Task, TestResult

SPENT = {"prefilled": 1200, "cached": 9000, "decoded": 300, "verifier": 0, "tool_cpu_s": 0.5, "wall_s": 12.25}


def answer(files: Files, before: Files, status: Status = "solved", report: Report | None = None) -> Answer:
    task = Task("t", "do it", before, tuple(files), Suite("unittest"))
    result = Result("t", status, Stop("all visible tests pass"), 3, files, report, SPENT, "bwrap", "tiny")
    return Answer(task, result, 4, 2, Path("/runs/t.jsonl"))


def test_the_diff_applies_to_the_files_byte_for_byte(tmp_path: Path) -> None:
    before = {"a.py": b"one\ntwo\x0cstill two\r\nthree", "same.py": b"x\n"}
    after = {"a.py": b"one\nzwei\x0c\r\nthree\n", "same.py": b"x\n", "pkg/new.py": b"print('\xc3\xa4')"}
    for path, content in before.items():
        (tmp_path / path).write_bytes(content)
    diff = answer(after, before).diff()
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=diff, cwd=tmp_path, check=True)
    assert {path: (tmp_path / path).read_bytes() for path in after} == after


def test_a_solution_that_changes_nothing_has_an_empty_diff() -> None:
    assert answer({"a.py": b"x\n"}, {"a.py": b"x\n"}).diff() == b""


def test_a_solution_that_is_no_text_is_not_spilled_onto_the_terminal() -> None:
    assert answer({"a.bin": b"\0\1"}, {}).diff() == b"Binary files /dev/null and b/a.bin differ\n"


def test_the_summary_says_how_it_was_verified_and_what_it_cost() -> None:
    report = Report((TestResult("a", "passed"), TestResult("b", "passed")), trust="weak", level="bwrap")
    assert list(answer({"a.py": b"x"}, {}, report=report).summary()) == [
        "solved: all visible tests pass; attempt 2 of 4",
        "verified  2/2 tests pass (unittest), once more in a fresh world",
        "          sandbox bwrap, trust weak: tests and code share a process",
        "cost      1,500 tokens: 1,200 read, 300 written (9,000 more from the cache)",
        "          4 attempts, 12.2 s, of tools 0.5 s CPU",
        "trace     /runs/t.jsonl",
    ]


def test_the_summary_of_an_unsolved_task_names_failing_tests_on_single_printable_lines() -> None:
    tests = tuple(TestResult(f"\x1b[2Jt{i}", "failed", "boom\nTraceback") for i in range(7))
    lines = list(answer({"a.py": b"x"}, {}, "unsolved", Report(tests)).summary())
    assert lines[0].startswith("not solved: ")
    assert "the best is attempt 2 of 4" in lines[0]
    assert lines[3:9] == [*(f"  ✗ t{i} failed: boom" for i in range(5)), "  … and 2 more"]


def test_json_holds_everything_even_files_that_are_no_text() -> None:
    report = Report((TestResult("a", "failed", "\udc80"),))
    said = json.loads(json.dumps(answer({"a.py": b"x\n", "b": b"\xff"}, {}, "suspended", report).json()))
    assert said["files"] == {"a.py": "x\n", "b": {"base64": "/w=="}}
    assert said["status"] == "suspended"
    assert said["verified"]["passed"] == 0
    assert said["verified"]["solved"] is False
    assert said["spent"]["cached"] == 9000
    assert said["trace"] == "/runs/t.jsonl"


def test_changed_leaves_out_what_stayed() -> None:
    task = Task("t", "", {"a": b"1", "b": b"2"})
    assert changed(task, {"a": b"1", "b": b"3", "c": b"4"}) == {"b": b"3", "c": b"4"}


def test_what_was_judged_and_what_was_not_run_is_part_of_the_cost() -> None:
    one = answer({}, {})
    spent = {**SPENT, "verifier": 200, "saved_calls": 2, "saved_cpu_s": 0.9}
    lines = list(replace(one, result=replace(one.result, spent=spent)).summary())
    assert "cost      1,700 tokens: 1,200 read, 300 written, 200 to judge (9,000 more from the cache)" in lines
    assert "          not made: 2 runs of the tests whose end was known, 0.9 s CPU" in lines

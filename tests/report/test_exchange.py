"""What one core's tokens are worth in another's, how sure runs were, and their samples: from records made by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from reasoner.batch import Folder, Record
from reasoner.cli import main
from reasoner.report import Run, page, read_runs, tables
from reasoner.report.exchange import exchange


def chance() -> np.random.Generator:
    return np.random.default_rng(1)


def written(path: Path, core: str, outcomes: list[tuple[bool, int]], **fields: object) -> Path:
    """A run: for each task whether it was solved, and its tokens."""
    with Folder(path, {"config": {}}) as folder:
        folder.confirm({"core": {"name": core, "digest": core}})
        for task, (solved, tokens) in enumerate(outcomes):
            outcome = "solved" if solved else "unsolved"
            folder.append(Record(f"t/{task}", 0, 1, outcome, 0, core=core, spent={"decoded": tokens}, **fields))  # type: ignore[arg-type]
    return path


def runs(tmp_path: Path) -> list[Run]:
    """The small core solves a quarter with 100 tokens and half with 1,000; the large one half with 300."""
    small = [(True, 100)] * 10 + [(True, 1000)] * 10 + [(False, 2000)] * 20
    large = [(True, 300)] * 20 + [(False, 300)] * 20
    return read_runs([written(tmp_path / "s", "small", small), written(tmp_path / "l", "large", large)])


def test_a_core_needs_the_tokens_under_whose_bound_it_had_solved_as_much(tmp_path: Path) -> None:
    small, large = runs(tmp_path)
    found = exchange(small, large, chance())
    assert found and found.share == 0.5 and found.took == 300
    assert found.needs and found.needs.value == (10 * 100 + 30 * 1000) / 40
    assert found.needs.low <= found.needs.value <= found.needs.high
    back = exchange(large, small, chance())
    assert back and back.needs and back.needs.value == 300 and back.rate == 300 / 1275


def test_what_was_never_reached_is_said_and_runs_of_one_core_have_no_exchange(tmp_path: Path) -> None:
    few = written(tmp_path / "few", "few", [(True, 10)] + [(False, 10)] * 39)
    small, large, least = read_runs([tmp_path / "s", tmp_path / "l", few]) if runs(tmp_path) else ()
    assert (found := exchange(least, large, chance())) and found.needs is None and found.rate is None
    rows = next(table.rows for table in tables([least, large], chance) if table.title == "Exchange")
    assert tuple(map(str, rows[0])) == ("C for B", "50.0%", "300", "never, with what it spent", "–")
    assert not any(table.title == "Exchange" for table in tables([small, small], chance))


def test_how_sure_a_run_was_is_shown_beside_what_was_right(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from reasoner.report.charts import charts

    [run] = read_runs([written(tmp_path / "a", "tiny", [(True, 10)] * 3 + [(False, 10)], confidence=0.9)])
    [row] = next(table.rows for table in tables([run], chance) if table.title == "Reliability")
    assert tuple(map(str, row)) == ("A", "4", "90.0%", "75.0%", "0.150", "-0.12", "0.50")
    drawn = list(charts([run], chance))
    assert "Stated and right" in [chart.title for chart in drawn] and "<svg" in page([run], [], drawn)


def test_samples_are_lines_that_evalplus_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "a", tmp_path / "samples.jsonl"
    with Folder(path, {}) as folder:
        folder.confirm({})
        folder.append(Record("HumanEval/0", 0, 1, "failed", 0, reason="the server is away"))
        folder.append(Record("HumanEval/0", 0, 2, "solved", 0, files={"solution.py": "def f(): ..."}))
        folder.append(Record("HumanEval/1", 0, 1, "unsolved", 0))
    assert main(["report", str(path), "--samples", str(out)]) == 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {"task_id": "HumanEval/0", "solution": "def f(): ..."},
        {"task_id": "HumanEval/1", "solution": ""},
    ]
    assert main(["report", str(path), str(path), "--samples", str(out)]) == 2
    asked = written(tmp_path / "q", "tiny", [(True, 1)], answer="7")
    assert main(["report", str(asked), "--samples", str(out)]) == 2 and out.read_text()
    assert "--samples is for coding tasks" in capsys.readouterr().err

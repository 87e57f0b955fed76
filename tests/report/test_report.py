"""A report of hand-made runs: the numbers that the tables say, the page that holds no text of others as markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from reasoner.batch import Folder, Record
from reasoner.batch.timing import Times
from reasoner.cli import main
from reasoner.errors import ConfigError
from reasoner.estimates import wilson
from reasoner.report import Run, page, read_runs, tables

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7 * 7 }}$x^2$&amp;"


def chance() -> np.random.Generator:
    return np.random.default_rng(1)


def written(path: Path, solved: list[list[int]], tokens: int = 100, sha256: str = "a", **changes: object) -> Path:
    """A run: a list of epochs for each task, 1 where it was solved."""
    settings = {
        "config": {"search": {"strategy": "single", **changes}},
        "problems": {"path": f"of {path.name}", "sha256": sha256},
    }
    with Folder(path, settings) as folder:
        folder.confirm({"core": {"name": "tiny", "digest": "d"}})
        for task, epochs in enumerate(solved):
            for epoch, right in enumerate(epochs):
                folder.append(
                    Record(
                        f"{EVIL}{task}",
                        epoch,
                        1,
                        "solved" if right else "unsolved",
                        epoch,
                        reason=EVIL,
                        answer=EVIL,
                        core=f"tiny{EVIL}",
                        spent={"decoded": tokens, "prefilled": 10, "cached": 1000},
                        times=Times(wall_s=2.0, prefill_s=0.5, decode_s=1.0, tools_s=0.25, waiting_s=0.25),
                    )
                )
    return path


def table(runs: list[Run], title: str) -> list[tuple[str, ...]]:
    """Its rows as they are shown."""
    return [tuple(map(str, row)) for row in next(t for t in tables(runs, chance) if t.title == title).rows]


def test_solved_and_cost_are_what_the_records_say(tmp_path: Path) -> None:
    runs = read_runs([written(tmp_path / "a", [[1], [0], [1], [1]])])
    assert table(runs, "Solved") == [("A", str(tmp_path / "a"), "3/4", "75.0%  [30.1%, 95.4%]", "")]
    assert table(runs, "Cost") == [("A", "440", "110", "147", "2.0 s")]
    assert table(runs, "Where the time went")[0][2] == "4 s   50%"


def test_a_failed_attempt_costs_and_the_last_word_counts(tmp_path: Path) -> None:
    written(tmp_path / "a", [[1]])
    with (tmp_path / "a" / "results.jsonl").open("rb+") as file:
        line = file.read()
        file.seek(0)
        file.write(line.replace(b'"solved"', b'"failed"') + line)
    [run] = read_runs([tmp_path / "a"])
    assert (run.outcomes, run.tokens, run.solved) == ({"solved": 1}, 220, 1)
    assert run.phases["prefill"] == 0.5, "who waits for a server that is away reads no prompt"


def test_coverage_is_unbiased_over_epochs(tmp_path: Path) -> None:
    runs = read_runs([written(tmp_path / "a", [[1, 0, 0, 0], [0, 0, 0, 0]])])
    [(_, one, two, four, law)] = table(runs, "Coverage")
    assert [cell.split()[0] for cell in (one, two, four)] == ["12%", "25%", "50%"]
    assert law.startswith("exp(")


def test_a_task_with_fewer_samples_leaves_the_coverage_of_the_others(tmp_path: Path) -> None:
    runs = read_runs([written(tmp_path / "a", [[1, 0]] * 9 + [[1]])])
    [(_, one, two, _)] = table(runs, "Coverage")
    assert (one.split()[0], two.split()[0]) == ("50%", "100%")
    [note] = [t.note for t in tables(runs, chance) if t.title == "Coverage"]
    assert note.endswith("A without 1 of 10 tasks, which have fewer samples.")
    runs = read_runs([written(tmp_path / "b", [[1, 0]] * 8 + [[1]] * 2)])
    assert runs[0].epochs == 1


def test_runs_are_compared_over_the_tasks_that_both_have(tmp_path: Path) -> None:
    first = written(tmp_path / "a", [[0]] * 20 + [[1]] * 20)
    same = written(tmp_path / "b", [[0]] * 20 + [[1]] * 19 + [[0]])
    better = written(tmp_path / "c", [[1]] * 50, tokens=210)
    rows = table(read_runs([first, same, better]), "Compared")
    assert rows[0][0] == "B − A" and rows[0][-1] == "noise"
    assert rows[1][:2] == ("C − A", "40") and rows[1][2].startswith("+50.0") and rows[1][3:] == ("2.00x", "better")


def test_one_task_says_nothing_of_others(tmp_path: Path) -> None:
    runs = read_runs([written(tmp_path / "a", [[0]]), written(tmp_path / "b", [[1]])])
    [(_, tasks, points, _, says)] = table(runs, "Compared")
    assert (tasks, says) == ("1", "noise") and points.startswith("+100.0  [-")
    [run] = read_runs([written(tmp_path / "c", [[1, 1, 1]] * 3)])
    assert table([run], "Solved")[0][3] == "100.0%  [43.9%, 100.0%]"
    assert table([run], "Coverage")[0][1] == "100%  [44%, 100%]"


def test_what_the_runs_were_told_differently_is_named(tmp_path: Path) -> None:
    runs = read_runs([written(tmp_path / "a", [[1]]), written(tmp_path / "b", [[1]], width=4)])
    assert ("search.width", "–", "4") in table(runs, "Told differently")


def test_runs_of_other_problems_are_said_to_be_paired_by_id_alone(tmp_path: Path) -> None:
    first, same = written(tmp_path / "a", [[1]]), written(tmp_path / "b", [[1]])
    other = written(tmp_path / "c", [[1]], sha256="0123456789abcdef")
    runs = read_runs([first, same, other])
    [note] = [t.note for t in tables(runs, chance) if t.title == "Compared"]
    assert note.endswith(" C: other problem files, so tasks are paired by id alone.")
    assert table(runs, "Told differently") == [("problems", "of a (a)", "of b (a)", "of c (01234567)")]
    assert not [t for t in tables(runs[:2], chance) if t.title == "Told differently" or "by id alone" in t.note]


def test_a_report_says_what_a_run_was(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from reasoner.report.charts import charts

    settings = {
        "search": {"strategy": "vote", "attempts": 8},
        "budget": {"effort": "low", "tokens": 4000, "wall_s": 0.0},
    }
    with Folder(tmp_path / "a", {"config": settings}) as folder:
        folder.confirm({})
        folder.append(Record("t", 0, 1, "solved", 0, core="tiny<b>", level="bwrap"))
    runs = read_runs([tmp_path / "a"])
    row = ("A", "tiny<b>", "vote, 8 attempts at most", "effort low", "4000 tokens", "bwrap")
    assert table(runs, "Runs") == [row]
    [chart] = charts(runs, chance)
    assert chart.legend == ("A: tiny<b>; vote, 8 attempts at most; effort low; 4000 tokens; bwrap",)
    assert "A: tiny&lt;b&gt;; vote" in page(runs, [], [chart])


def test_what_is_printed_for_programs_has_numbers(tmp_path: Path, capsys) -> None:
    a, b = written(tmp_path / "a", [[1], [0], [1]]), written(tmp_path / "b", [[1], [1], [1]])
    assert main(["report", str(a), str(b), "--json"]) == 0
    found = {each["title"]: each for each in json.loads(capsys.readouterr().out)["tables"]}
    share = found["Solved"]["rows"][0][3]
    assert share == {"text": "66.7%  [20.8%, 93.9%]", **vars(wilson(2, 3))}
    points = found["Compared"]["rows"][0][2]
    assert points["value"] == pytest.approx(100 / 3) and points["low"] <= points["value"] <= points["high"]
    assert [cell["value"] for cell in found["Cost"]["rows"][0][1:4]] == [330, 110, 165]
    assert found["Runs"]["rows"][0][0] == "A"


def test_a_run_without_one_graded_task_is_shown_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with Folder(path, {}) as folder:
        folder.confirm({})
        folder.append(Record("t", 0, 1, "answered", 0, answer="48"))
    assert main(["report", str(path)]) == 0
    [row] = table(read_runs([path]), "Solved")
    assert row[2:] == ("none graded", "–", "1 answered")


def test_what_is_no_run_is_one_sentence_that_says_what_it_is(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").touch()
    for path, what in (
        (tmp_path, "holds no results.jsonl"),
        (tmp_path / "file", "is no directory"),
        (tmp_path / "none", "does not exist"),
    ):
        assert main(["report", str(path)]) == 2
        assert capsys.readouterr().err == f"error: {path} {what}: give a directory that 'reasoner run' wrote\n"
    with pytest.raises(ConfigError, match="give at most 26"):
        read_runs([tmp_path] * 27)


class Tags(HTMLParser):
    """Every tag, and every attribute that could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.dangers: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.dangers += [(name, value) for name, value in attrs if name.startswith("on") or name in ("src", "href")]


def test_nothing_from_outside_is_markup_in_the_page_and_nothing_is_loaded(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from reasoner.report.charts import charts

    evil = EVIL.replace("/", "_")
    paths = [
        written(tmp_path / f"a{evil}", [[1, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]], note=EVIL),
        written(tmp_path / "b", [[1, 1], [0, 1], [0, 1]]),
    ]
    runs = read_runs(paths)
    text = page(runs, tables(runs, chance), charts(runs, chance))
    tags = Tags()
    tags.feed(text)
    assert {"table", "svg", "h2"} <= tags.tags and not {"script", "img", "iframe", "link"} & tags.tags
    assert all(value and value.startswith("#") for _, value in tags.dangers)
    assert "&lt;script&gt;" in text and "{{ 7 * 7 }}" in text
    assert not re.search(r"url\((?!#)", text)
    assert text.count("<svg") == 4


def test_one_report_is_the_same_twice(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    a, b = written(tmp_path / "a", [[1, 0], [0, 1]]), written(tmp_path / "b", [[1, 1], [0, 1]])
    for name in ("one.html", "two.html"):
        assert main(["report", str(a), str(b), "--html", str(tmp_path / name)]) == 0
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_tables_hold_no_escape_sequence_of_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "a\x1b[2J[red]b", [[1]])
    assert main(["report", str(path)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and "a[red]b" in out.replace("\n", "").replace(" ", "")

"""`reasoner replay` over a small recorded pool."""

import json
from pathlib import Path

import pytest

from reasoner.cli import main
from reasoner.completions import Sampling
from reasoner.ledger import Cost
from reasoner.trace import Added, Began, Opened, Stopped
from reasoner.trace.events import encode
from reasoner.tree import Tree
from reasoner.types import Expand, Span, Step, Stop, Task, Verdict


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool.jsonl"
    rows = []
    for task in range(6):
        for k in range(4):
            right = (task + k) % 3 == 0
            tests = ["passed" if right else "failed", "passed" if right and task else "failed"]
            row = {"task": str(task), "sample": k, "prompt": 50, "ids": [1] * 20, "text": "x", "logprobs": [-0.5] * 20}
            rows.append(json.dumps({**row, "tests": tests, "correct": tests == ["passed"] * 2}))
    path.write_text("\n".join(rows) + "\n")
    return path


def test_it_prints_the_honest_figures_and_a_line_for_each_usual_policy(
    pool: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(pool)]) == 0
    out = capfd.readouterr().out
    assert "6 tasks, 4 samples each" in out and "coverage, pass@4" in out and "nobody votes" in out
    for name in ("fixed:1 ", "fixed:2 ", "fixed:4 ", "solved+fixed:4"):
        assert f"\n{name}" in out


def test_policies_are_compared_with_the_first_paired_by_task(pool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(pool), "--policy", "fixed:4", "--policy", "solved+fixed:4", "--policy", "fixed:1"]) == 0
    out = capfd.readouterr().out
    assert "solved+fixed:4  against fixed:4: +0.0 [-39.0, +39.0] points (noise), 2.00x fewer samples" in out
    assert "fixed:1         against fixed:4: " in out and "4.00x fewer samples" in out


@pytest.mark.parametrize("select", ["certainty", "lowest", "vote:certainty", "calibrated", "last"])
def test_every_source_of_the_records_selects(pool: Path, select: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(pool), "--policy", "fixed:3", "--policy", "sure:0.9+fixed:4", "--select", select]) == 0
    assert f"answered by {select};" in capfd.readouterr().out


def test_as_json_it_says_every_point(pool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(pool), "--policy", "solved", "--budget", "60", "--budget", "1k", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert [(p["budget"], p["tokens"]["value"] <= p["budget"]) for p in said["points"]] == [(60, True), (1000, True)]
    assert said["figures"]["gap"]["value"] >= 0


def test_a_policy_beyond_the_pool_is_refused_alone_and_told_beside_others(
    pool: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(pool), "--policy", "fixed:9"]) == 4
    assert "samples that were not recorded, for every task: there are at most 4" in capfd.readouterr().err
    assert main(["replay", str(pool), "--policy", "fixed:9", "--policy", "fixed:2"]) == 0
    said = capfd.readouterr()
    assert "not recorded" in said.err and "\nfixed:2" in said.out and "\nfixed:9" not in said.out


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--policy", "fixd:2"], 2, "did you mean fixed"),
        (["--select", "best"], 2, "choose one of visible"),
    ],
)
def test_what_means_nothing_is_one_sentence(
    pool: Path, flags: list[str], code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(pool), *flags]) == code
    assert said in capfd.readouterr().err


def test_an_empty_folder_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path)]) == 4
    assert "holds no trace and no recorded samples" in capfd.readouterr().err


def test_searches_that_ended_by_themselves_have_no_figures_that_count_samples(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    began = Began(Task("c", "x", editable=("solution.py",)), "m", "d", "bwrap", 0)
    tree = Tree("c")
    tree.plant([Step("task", "")], "")
    head = tree.opened(Expand(0, "attempt", Sampling()))
    tree.add(head, [Step("act", "x", (Span((1, 2), sampled=True),))], "", [Verdict(1.0, "visible")], Cost(decoded=2))
    with (tmp_path / "t.jsonl").open("wb") as file:
        for event in (began, Added(tree[0]), Opened(head), Added(tree[1], 0), Stopped(Stop("all visible tests pass"))):
            file.write(encode(event, 0.0) + b"\n")
    assert main(["replay", str(tmp_path / "t.jsonl"), "--policy", "fixed:1", "--orders", "9"]) == 0
    said = capfd.readouterr()
    assert "1 searches ended because of what their samples came to: replayed in the recorded order" in said.err
    assert "pass@1" not in said.out and "they have no pass@k" in said.out
    assert main(["replay", str(tmp_path / "t.jsonl"), "--policy", "fixed:1", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["ordered"], found["figures"]) == (1, None)

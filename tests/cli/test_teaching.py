"""`reasoner train`, `export --merged` and `flywheel` as they are typed, on a tiny model with random weights."""

import json
from pathlib import Path

import pytest

from reasoner.cli import main
from reasoner.cli.flywheel import checking, drawn
from reasoner.cli.parser import parse
from reasoner.config import BudgetConfig, Config, SearchConfig
from reasoner.flywheel import files
from reasoner.flywheel.rows import Judged, Mark, Pair, Row, Way
from reasoner.types import Task
from tests.flywheel.conftest import Tiny, made


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return made(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def place(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows of every kind, in which `taught` is a trained adapter."""
    place = tmp_path_factory.mktemp("place")
    rows = [Row(str(n), "solved", (256, 65 + n, 66, 67), (False, False, True, True)) for n in range(8)]
    pair = Pair("0", (256, 65), Way((66,), (True,)), Way((67,), (True,)))
    judged = [Judged(str(n), (256, 70 + n % 2, 65 + n), (Mark(3, float(n % 2), 2),), 3) for n in range(20)]
    files.write(map(files.sft_line, rows), place / "rows.jsonl")
    files.write([files.dpo_line(pair, tiny.tokenizer)], place / "pairs.jsonl")
    files.write([files.steps_line(one, tiny.tokenizer) for one in judged], place / "steps.jsonl")
    assert train(tiny, "sft", place / "rows.jsonl", "-o", place / "taught", "--epochs", 1, "--batch", 4) == 0
    return place


def train(tiny: Tiny, kind: str, *arguments: object) -> int:
    where = ("--model", tiny.directory, "--device", "cpu", "--dtype", "float32", "--quiet")
    return main(["train", kind, *map(str, (*arguments, *where))])


def test_every_kind_of_training_can_be_typed(tiny: Tiny, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taught = place / "taught"
    assert train(tiny, "dpo", place / "pairs.jsonl", "--from", taught, "-o", place / "preferred", "--json") == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 2
    for kind in ("outcome", "step"):
        head = ("--head", kind, "--kind", kind, "--on", taught)
        assert train(tiny, "reward", place / "steps.jsonl", *head) == 0
        assert (taught / "heads" / f"{kind}.safetensors").is_file()


def test_rows_too_long_for_the_model_are_left_out_and_said(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Row(str(n), "solved", (256, *([65] * length), 66), (False,) * length + (True, True)) for n, length in
            enumerate((4, 600))]  # fmt: skip
    files.write(map(files.sft_line, rows), tmp_path / "rows.jsonl")
    where = ("--model", tiny.directory, "--device", "cpu", "--dtype", "float32", "--epochs", 1)
    assert main(["train", "sft", *map(str, (tmp_path / "rows.jsonl", "-o", tmp_path / "taught", *where))]) == 0
    assert "left out  1 rows longer than the context of 512" in capsys.readouterr().err


def test_an_adapter_becomes_a_plain_model(tiny: Tiny, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    merging = ["export", "--merged", place / "merged", "--adapter", place / "taught", "--model", tiny.directory]
    assert main([*map(str, merging)]) == 0 and (place / "merged" / "model.safetensors").is_file()
    assert main([*map(str, merging)]) == 4 and "is there already" in capsys.readouterr().err


def test_a_training_of_another_kind_in_the_same_place_is_refused(
    tiny: Tiny, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tiny, "sft", place / "rows.jsonl", "-o", place / "taught", "--epochs", 3, "--batch", 4) == 2
    assert "holds a training with another recipe.epochs (1, not 3)" in capsys.readouterr().err
    assert train(tiny, "reward", place / "rows.jsonl", "--head", "x", "--on", place / "taught") == 4
    assert "export with --format steps" in capsys.readouterr().err
    assert train(tiny, "dpo", place / "pairs.jsonl", "-o", place / "none") == 2
    assert "give --from DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--url", "http://localhost:1"), "cannot be trained from here: leave --url out"),
        (("--held-out", "tasks.jsonl"), "0 tasks to learn from and 1 to be measured on"),
        (("--held-out", "none.jsonl"), "none.jsonl does not exist"),
    ],
)
def test_a_flywheel_that_cannot_turn_is_refused_before_anything_is_opened(
    more: tuple[str, ...], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tasks.jsonl").write_text(json.dumps({"question": "What is 1 plus 1?", "answer": "2"}) + "\n")
    assert main(["flywheel", "tasks.jsonl", "-o", "wheel", *more]) == 2
    assert why in capsys.readouterr().err and not Path("wheel").exists()


def test_cores_are_held_against_each_other_at_equal_tokens_whatever_searches_may_do() -> None:
    typed = ["flywheel", "tasks.jsonl", "-o", "wheel", "--attempts", "4", "--strategy", "single", "--effort", "high"]
    config = Config(search=SearchConfig("single", attempts=4, width=8, temperature=0.8)).at("high")
    check = checking(parse(typed), config)
    assert (check.search.strategy, check.search.attempts, check.search.width) == ("auto", 1000, 1)
    assert check.budget == BudgetConfig(tokens=500) and check.search.temperature == 0.8


def test_what_is_measured_on_is_drawn_and_not_what_stands_first() -> None:
    tasks = [Task(str(n), "What?", answer="1") for n in range(50)]
    some = drawn(tasks, 10, 1)
    assert some == drawn(tasks, 10, 1) != drawn(tasks, 10, 2)
    assert {task.id for task in some} != {task.id for task in tasks[:10]} and len({task.id for task in some}) == 10
    assert drawn(tasks, None, 1) == drawn(tasks, 99, 1) == tuple(tasks)

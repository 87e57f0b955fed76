"""`reasoner calibrate` over recorded samples."""

import json
import random
from pathlib import Path

import pytest

from reasoner.cli import main
from reasoner.errors import ConfigError
from reasoner.verifiers import calibrate

CORE = "0123456789ab"


def write(path: Path, tasks: int = 60, **more: object) -> Path:
    """Eight samples a task, of which those are right more often of which the core was surer."""
    chance, lines = random.Random(1), []
    for task in range(tasks):
        for sample in range(8):
            sure = chance.random()
            row = {"task": str(task), "sample": sample, "prompt": 9, "ids": [1], "text": "x", "logprobs": [sure - 1.0]}
            lines.append(json.dumps({**row, "tests": [], "correct": chance.random() < sure, "core": CORE, **more}))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_it_writes_states_chances_that_come_true(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "sure.json"
    assert main(["calibrate", str(write(tmp_path / "pool.jsonl")), "-o", str(to), "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert said["tasks"] == 60 and said["samples"] == 480 and said["core"] == CORE
    assert said["ece"] < 0.08 and said["auroc"] > 0.75 and sum(one["count"] for one in said["reliability"]) == 480
    found = calibrate.load(to, CORE + "cdef")
    low, high = (found.probability({"certainty": score}) or 0.0 for score in (0.42, 0.95))
    assert low < 0.3 and high > 0.7
    with pytest.raises(ConfigError, match="was made with the core 0123456789ab"):
        calibrate.load(to, "f" * 16)


def test_a_diagram_stands_in_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", str(write(tmp_path / "pool.jsonl")), "-o", str(tmp_path / "sure.json")]) == 0
    out, err = capfd.readouterr()
    assert out.splitlines()[0].split() == ["stated", "right", "samples"] and "█" in out
    assert "calibration error" in out and "480 samples of 60 tasks" in err


@pytest.mark.parametrize(
    ("made", "why"),
    [({"tasks": 3}, "3 tasks are recorded"), ({"core": ""}, "do not say which model drew them")],
)
def test_records_that_cannot_calibrate_are_refused(
    made: dict[str, object], why: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pool = write(tmp_path / "pool.jsonl", **made)  # type: ignore[arg-type]
    assert main(["calibrate", str(pool), "-o", str(tmp_path / "sure.json")]) == 2
    assert why in capfd.readouterr().err and not (tmp_path / "sure.json").exists()

import json

import pytest

from reasoner.cli import main
from reasoner.doctor import Finding, advice


def test_what_is_missing_comes_first_and_alone() -> None:
    findings = [
        Finding("memory", "1.0 GB available", "missing", "free memory"),
        Finding("disk", "1 GB", "poor", "free some disk"),
        Finding("model", "tiny"),
    ]
    assert advice(findings) == ["free memory"]


def test_without_the_default_model_it_is_fetched_next() -> None:
    assert advice([Finding("model", "not here yet", "poor")]) == ["fetch the default model: reasoner models pull"]


def test_with_a_model_a_task_is_next_and_then_what_would_help() -> None:
    findings = [Finding("cpu", "2 CPUs", "poor", "try float32"), Finding("model", "tiny")]
    assert advice(findings) == ["solve a task: reasoner solve PATH", "try float32"]


def test_this_machine_is_examined_for_people_and_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    said = json.loads(capsys.readouterr().out)
    names = [finding["name"] for finding in said["findings"]]
    assert names[:6] == ["python", "torch", "cpu", "gpu", "memory", "disk"]
    assert names.count("sandbox") == 2
    missing = [finding for finding in said["findings"] if finding["grade"] == "missing"]
    assert code == (4 if missing else 0)
    assert said["next"]
    assert all(finding["remedy"] for finding in missing)

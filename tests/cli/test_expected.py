import json
from pathlib import Path

from reasoner.cli.expected import duration, expected
from reasoner.config import Config


def trace(folder: Path, name: str, *, tokens: int, seconds: float, effort: str = "", model: str = "") -> None:
    first = {"event": "began", "data": {"config": {"core": {"model": model}, "budget": {"effort": effort}}}}
    spent = {"prefilled": tokens, "decoded": 0, "verifier": 0, "wall_s": seconds}
    last = {"event": "finished", "data": {"result": {"spent": spent}}}
    (folder / f"{name}.jsonl").write_text(f"{json.dumps(first)}\n{json.dumps(last)}\n")


def test_an_effort_says_what_it_may_cost(tmp_path: Path) -> None:
    said = expected(Config().at("low"), tmp_path)
    assert said.splitlines() == [
        "effort low: at most 4 attempts and 4,000 tokens",
        "other efforts, tokens at most: medium 16,000, high 64,000, max 256,000",
    ]
    assert expected(Config(), tmp_path) == ""


def test_earlier_runs_say_how_long_and_what_is_usual(tmp_path: Path) -> None:
    trace(tmp_path, "a", tokens=1_000, seconds=20.0, effort="low")
    trace(tmp_path, "b", tokens=2_000, seconds=40.0, effort="low")
    trace(tmp_path, "c", tokens=7_000, seconds=140.0, effort="high")
    trace(tmp_path, "d", tokens=9_000, seconds=1.0, effort="low", model="other")
    assert expected(Config().at("low"), tmp_path, tasks=10).splitlines() == [
        "effort low: at most 4 attempts and 40,000 tokens, 13 min at 50 tokens/s; "
        "usually 15,000 tokens, 5 min (earlier runs: 2)",
        "other efforts, tokens at most: medium 160,000 (53 min), high 640,000 (3.6 h), max 2,560,000 (14.2 h)",
    ]


def test_traces_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    for at, text in enumerate(["", "{}", "[]\n[]", "\0", '{"data": {}}\n{"data": {"result": null}}', "[" * 100_000]):
        (tmp_path / f"{at}.jsonl").write_text(text)
    (tmp_path / "folder.jsonl").mkdir()
    trace(tmp_path, "z", tokens=0, seconds=0.0)
    assert expected(Config().at("low"), tmp_path).startswith("effort low: at most 4 attempts and 4,000 tokens\n")
    assert expected(Config().at("low"), tmp_path / "absent").startswith("effort low")


def test_durations_are_short() -> None:
    assert [duration(s) for s in (3.2, 300, 12_600)] == ["3 s", "5 min", "3.5 h"]

"""Generations are finished one after the other, and the last that was promoted searches next."""

from pathlib import Path

import pytest

from reasoner.errors import TraceError
from reasoner.estimates import Estimate
from reasoner.flywheel.gate import Decision
from reasoner.flywheel.generations import GENERATION, Generation, Paths, best, gone, read, write
from reasoner.models.adapter import MANIFEST


def put(root: Path, number: int, *, promoted: bool) -> Generation:
    Paths(root, number).folder.mkdir(parents=True)
    gate = Decision(promoted, "because", 9, 0.1, 0.2, Estimate(0.1, -0.1, 0.3), 900.0, 800.0)
    one = Generation(number, "base", "d0", f"taught-{number}", "d1", {"data": "d2"}, {}, {}, gate)
    write(root, one)
    return one


def test_a_generation_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = [put(tmp_path, number, promoted=False) for number in (1, 2)]
    assert read(tmp_path) == written


def test_the_last_one_that_was_promoted_searches_next(tmp_path: Path) -> None:
    assert best(tmp_path, read(tmp_path)) == "base"
    put(tmp_path, 1, promoted=True)
    put(tmp_path, 2, promoted=False)
    assert best(tmp_path, read(tmp_path)) == str(tmp_path / "1" / "taught-1")
    assert Paths(tmp_path, 3).check(best(tmp_path, read(tmp_path))) == tmp_path / "checks" / "taught-1"


def test_an_adapter_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    put(tmp_path, 1, promoted=False)
    assert not gone(tmp_path, read(tmp_path)), "nobody needs it"
    put(tmp_path, 2, promoted=True)
    assert gone(tmp_path, read(tmp_path))
    Paths(tmp_path, 2).adapter.mkdir()
    (Paths(tmp_path, 2).adapter / MANIFEST).touch()
    assert not gone(tmp_path, read(tmp_path))


def test_rows_come_from_all_searches_so_far(tmp_path: Path) -> None:
    assert Paths(tmp_path, 2).learnt_from == [tmp_path / n / "search" / "traces" for n in "12"]


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    put(tmp_path, 1, promoted=True)
    (tmp_path / "1" / GENERATION).write_text("{")
    with pytest.raises(TraceError, match=r"generation\.json cannot be read .*: delete it"):
        read(tmp_path)

"""A run's directory: whose it is, what is refused, and that nothing in it is ever lost."""

import resource
from pathlib import Path

import pytest

from reasoner.batch import Folder, Record, read_records
from reasoner.errors import ConfigError, TraceError

CORE = {"core": {"name": "tiny", "digest": "d1"}, "sandbox": "bwrap"}


def record(task: str = "t", outcome: str = "solved", epoch: int = 0) -> Record:
    return Record(task, epoch, 1, outcome, 0, spent={"decoded": 7})  # type: ignore[arg-type]


def test_a_record_comes_back_as_it_was(folder) -> None:
    with folder() as into:
        into.append(record("\x1b[2J \u2028 é"))
        assert list(into.records()) == [record("\x1b[2J \u2028 é")]


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_half_a_record_is_taken_away_and_its_task_done_again(folder, cut: int) -> None:
    with folder() as into:
        into.confirm(CORE)
        into.append(record("one"))
        into.append(record("two"))
    path = into.path / "results.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    with folder() as into:
        assert into.done == {("one", 0)}
        into.append(record("two"))
        assert [r.task for r in into.records()] == ["one", "two"]


def test_a_line_that_is_no_record_is_named_and_nothing_is_written_after_it(folder) -> None:
    with folder() as into:
        into.confirm(CORE)
        into.append(record())
    path = into.path / "results.jsonl"
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(TraceError, match=r"results.jsonl, line 2: not a record of a run"):
        folder()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": {"search": {"attempts": 8, "seed": 0}}}, r"config.search.attempts = 4, this one has 8"),
        ({"config": {"search": {"attempts": 4}}}, r"config.search.seed = 0, this one has nothing"),
        ({"problems": {"sha256": "bb"}}, r"problems.sha256 = aa, this one has bb"),
        ({"version": "2"}, r"version = 1, this one has 2"),
    ],
)
def test_another_configuration_and_other_problems_are_refused_by_name(folder, changes, said) -> None:
    with folder() as into:
        into.confirm(CORE)
        into.append(record())
    with pytest.raises(ConfigError, match=said):
        folder(**changes)
    with folder() as into:
        assert into.done == {("t", 0)}, "a refusal changes nothing"


def test_another_core_is_refused_when_it_is_known(folder) -> None:
    with folder() as into:
        into.confirm(CORE)
    with folder() as into, pytest.raises(ConfigError, match=r"core.digest = d1, this one has d2"):
        into.confirm({"core": {"name": "tiny", "digest": "d2"}})


def test_where_traces_go_and_how_many_threads_work_may_change(folder) -> None:
    with folder(config={"traces": "a", "core": {"threads": 1}}, problems={"path": "/a", "sha256": "aa"}) as into:
        into.confirm({})
    folder(config={"traces": "b", "core": {"threads": 2}}, problems={"path": "/b", "sha256": "aa"}).__exit__()


def test_force_new_keeps_the_earlier_run_under_another_name(folder) -> None:
    for number in (1, 2):
        with folder() as into:
            into.confirm(CORE)
            into.append(record(f"run {number}"))
        with folder(force_new=True, version="2") as into:
            assert into.moved == into.path.with_name(f"out.old-{number}") and not into.done
            assert [r.task for r in read_records(into.moved / "results.jsonl")] == [f"run {number}"]
        if number == 1:
            (into.path / "results.jsonl").unlink()


def test_a_directory_that_is_in_use_is_refused_even_with_force_new(folder) -> None:
    with folder() as into:
        into.confirm(CORE)
        for force_new in (False, True):
            with pytest.raises(ConfigError, match="another process runs in"):
                folder(force_new=force_new)
        assert into.path.is_dir()


def test_a_directory_of_other_things_is_left_alone(folder, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(ConfigError, match=r"holds thesis.tex and is no run's directory"):
        folder()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_a_run_that_never_began_has_no_summary_and_its_directory_can_be_used(folder) -> None:
    with folder() as into:
        into.write_summary({"asked": 3})
        assert not into.began and [p.name for p in into.path.iterdir()] == ["results.jsonl"]
    for left in ("summary.json", "summary.json.new"):
        (into.path / left).write_text("{}")
    with folder() as into:
        into.confirm(CORE)
        into.write_summary({"asked": 3})
    assert "asked" in (into.path / "summary.json").read_text()


def test_a_path_that_cannot_be_a_directory_is_one_sentence(folder, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ConfigError, match="out is a file, or in the place of one: give a directory with -o"):
        folder()
    with pytest.raises(ConfigError, match="out/in is a file, or in"):
        Folder(tmp_path / "out" / "in", {})
    assert (tmp_path / "out").read_text() == "a file"


def test_a_full_disk_is_one_sentence_and_what_was_kept_stays(folder) -> None:
    with folder() as into:
        into.confirm(CORE)
        into.append(record("one"))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((into.path / "results.jsonl").stat().st_size + 20, before[1]))
        try:
            with pytest.raises(TraceError, match="free some space"):
                into.append(record("two"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert into.done == {("one", 0)}
        into.append(record("three"))
        assert [r.task for r in into.records()] == ["one", "three"], "no half of a record is left to write on"
    with folder() as into:
        into.append(record("two"))
        assert [r.task for r in into.records()] == ["one", "three", "two"]


def test_a_failed_task_is_not_done(folder) -> None:
    with folder() as into:
        into.append(record("a", "failed"))
        into.append(record("b", "unusable"))
        assert into.done == {("b", 0)}

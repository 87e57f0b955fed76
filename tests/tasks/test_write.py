from pathlib import Path

import pytest

from reasoner.errors import TaskError
from reasoner.tasks.write import write


def test_files_are_replaced_and_created_with_their_folders(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"old")
    assert write(tmp_path, {"a.py": b"new", "pkg/sub/b.py": b"b"}) == ["a.py", "pkg/sub/b.py"]
    assert (tmp_path / "a.py").read_bytes() == b"new"
    assert (tmp_path / "pkg/sub/b.py").read_bytes() == b"b"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.py", "b.py", "pkg", "sub"]


def test_an_old_file_keeps_its_mode(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_bytes(b"old")
    script.chmod(0o750)
    write(tmp_path, {"run.py": b"new"})
    assert script.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("path", ["../out.py", "/tmp/out.py", "a/../../out.py", "", "a\0b"])
def test_a_path_that_leads_outside_is_refused(tmp_path: Path, path: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(TaskError, match="not inside"):
        write(inside, {"fine.py": b"1", path: b"2"})
    assert list(tmp_path.rglob("*")) == [inside]


def test_a_link_is_never_followed_neither_as_file_nor_as_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim.py").write_bytes(b"mine")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.py").symlink_to(outside / "victim.py")
    (inside / "folder").symlink_to(outside, target_is_directory=True)
    for path in ("link.py", "folder/victim.py", "folder/new.py"):
        with pytest.raises(TaskError):
            write(inside, {path: b"theirs"})
    assert (outside / "victim.py").read_bytes() == b"mine"
    assert [p.name for p in outside.iterdir()] == ["victim.py"]


def test_one_refused_file_leaves_all_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"old")
    (tmp_path / "b.py").mkdir()
    with pytest.raises(TaskError, match=r"b\.py"):
        write(tmp_path, {"a.py": b"new", "b.py": b"new"})
    assert (tmp_path / "a.py").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.py", "b.py"]


def test_a_directory_that_refuses_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"cannot write a\.py into .*No such file"):
        write(tmp_path / "gone", {"a.py": b"new"})

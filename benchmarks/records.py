"""Where recorded samples lie: at work in `runs/baseline/`, a line each; kept beside this file in `records/`, packed.

What is kept took hours of a CPU, so that figures can be made again, and recording goes on, without drawing it anew.
"""

import json
import lzma
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK, KEPT = ROOT / "runs" / "baseline", ROOT / "benchmarks" / "records"
Row = dict[str, Any]


def recording(name: str, model: str = "") -> Path:
    """The file of a set's samples by a model (empty: the default one), unpacked if it was kept and nobody went on."""
    stem = f"{name}-{Path(model).name or 'default'}"
    path, kept = WORK / f"{stem}.jsonl", KEPT / f"{stem}.jsonl.xz"
    if not path.exists() and kept.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.decompress(kept.read_bytes()))
    return path


def read(path: Path) -> list[Row]:
    """A last line that was cut is left out, and drawn again."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]


def mend(path: Path, rows: list[Row]) -> None:
    """Take the end of a line that was cut off the file, without a moment in which its samples are nowhere."""
    if path.exists():
        aside = path.with_suffix(".new")
        aside.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        aside.replace(path)


def keep(path: Path) -> Path:
    """Pack a file at work into what the repository keeps, sorted by task and sample."""
    rows = sorted(read(path), key=lambda row: (row["task"], row["sample"]))
    KEPT.mkdir(exist_ok=True)
    kept = KEPT / f"{path.name}.xz"
    kept.write_bytes(lzma.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), preset=9))
    return kept


def pack(folder: Path, name: str, files: Iterable[Path]) -> Path:
    """Keep these files of a folder at work."""
    kept = KEPT / f"{name}.tar.xz"
    with tarfile.open(kept, "w:xz") as archive:
        for path in sorted(path for path in files if path.is_file()):
            archive.add(path, path.relative_to(folder))
    return kept


def unpack(name: str, folder: Path) -> None:
    """What was kept of a folder, unless it is at work already."""
    kept = KEPT / f"{name}.tar.xz"
    if kept.exists() and not folder.exists():
        shutil.unpack_archive(kept, folder, filter="data")

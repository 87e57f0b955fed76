"""The directory of a flywheel: a folder for each generation, and what each came to.

    1/search/           the run that made the traces
    1/rows.jsonl        what they teach, with those of all generations before
    1/taught-1/         the adapter
    1/generation.json   where it comes from, and what the gate said; written last
    worked/             a run of the solutions that a data set brings, where there are some
    checks/NAME/        a run over the tasks that are held out, by each core: `base`, `taught-1`, …

Every stage goes on from what is there, so the same call goes on after an interrupt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from reasoner.errors import TraceError
from reasoner.flywheel.gate import Decision
from reasoner.models import adapter
from reasoner.models.adapters import BASE

GENERATION = "generation.json"


@dataclass(frozen=True)
class Generation:
    """A core's lineage, and what the gate said of it."""

    number: int
    parent: str
    """The core that made its traces, and that it was held against: `base`, or an adapter's name."""
    parent_digest: str
    core: str
    digest: str
    taught: Mapping[str, Any]
    """How it was trained: hash of its rows, recipe, loss."""
    tasks: Mapping[str, Any]
    """Hashes of what was searched and of what was held out, and how many of each."""
    config: Mapping[str, Any]
    """All settings, of searches and of checks."""
    gate: Decision


@dataclass(frozen=True)
class Paths:
    """Where the files of one generation are."""

    root: Path
    number: int

    @property
    def folder(self) -> Path:
        return self.root / str(self.number)

    @property
    def search(self) -> Path:
        return self.folder / "search"

    @property
    def rows(self) -> Path:
        return self.folder / "rows.jsonl"

    @property
    def adapter(self) -> Path:
        return self.folder / f"taught-{self.number}"

    @property
    def taught(self) -> bool:
        return (self.adapter / adapter.MANIFEST).is_file()

    @property
    def worked(self) -> Path:
        """Of all generations."""
        return self.root / "worked"

    @property
    def learnt_from(self) -> list[Path]:
        """Traces of this generation and of all before it, and of solutions that were given."""
        searches = [Paths(self.root, n).search for n in range(1, self.number + 1)]
        return [run / "traces" for run in (*searches, *([self.worked] if self.worked.exists() else []))]

    def check(self, core: str) -> Path:
        """Of the core with this name or path."""
        return self.root / "checks" / Path(core).name


def read(root: Path) -> list[Generation]:
    """The generations that are finished, in order.

    Raises:
        TraceError: one of them cannot be read.
    """
    found: list[Generation] = []
    while (path := Paths(root, len(found) + 1).folder / GENERATION).exists():
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Generation))
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise TraceError(f"{path} cannot be read ({error}): delete it to go through the gate again") from error
    return found


def write(root: Path, one: Generation) -> None:
    """Raises `TraceError` when it cannot be written."""
    path = Paths(root, one.number).folder / GENERATION
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_bytes(msgspec.json.format(msgspec.json.encode(one), indent=2) + b"\n")
        new.rename(path)
    except OSError as error:
        raise TraceError(f"cannot write {path} ({error.strerror}): make room, and run this again") from error


def best(root: Path, found: list[Generation], first: str = BASE) -> str:
    """The core that searches next: the path of the last adapter that was promoted, else the one it began with."""
    last = _promoted(root, found)
    return str(last.adapter) if last else first


def gone(root: Path, found: list[Generation]) -> bool:
    """Whether the last adapter that was promoted is no longer where it was made."""
    last = _promoted(root, found)
    return last is not None and not last.taught


def _promoted(root: Path, found: list[Generation]) -> Paths | None:
    numbers = [one.number for one in found if one.gate.promoted]
    return Paths(root, numbers[-1]) if numbers else None

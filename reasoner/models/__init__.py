"""Where weights come from: a name or a path becomes a Hugging Face model directory on this disk.

A model is named as the registry does (`reasoner models list`), or by the path of a Hugging Face directory or of a GGUF
file. What is missing is fetched, verified by SHA-256 and converted once. Nothing here loads a model or imports torch.
"""

from pathlib import Path

from reasoner.errors import ModelError
from reasoner.models.directory import check, digest
from reasoner.models.progress import Progress, Silent
from reasoner.models.registry import Entry, entries, find, unknown
from reasoner.models.store import Listed, Store, home

__all__ = ["Entry", "Listed", "Progress", "default", "digest", "listing", "path", "pull", "resolve"]


def default() -> str:
    """The name of the model that is used when none is given."""
    return next(entry.name for entry in entries() if entry.default)


def resolve(name: str, *, pull: bool = True, progress: Progress | None = None) -> Path:
    """The model directory of `name`, fetched and converted first where that is needed and `pull` allows it.

    Raises:
        ModelError: no such model, or it cannot be had; the message says which and what to do.
    """
    entry = None if _is_path(name) else find(name, entries())
    if entry is None:
        return _local(name, progress or Silent())
    store = Store(home())
    if not pull and not store.holds(entry.name, entry.sha256):
        raise ModelError(f"{entry.name} is not in {store.root} yet: run `reasoner models pull {entry.name}`")
    return store.pull(entry, progress or Silent())


def pull(name: str, *, progress: Progress | None = None) -> Path:
    """As `resolve`: have `name` on this disk, and say where."""
    return resolve(name, progress=progress)


def path(name: str) -> Path:
    """As `resolve`, but fetches nothing.

    Raises:
        ModelError: no such model, or it is not here yet.
    """
    return resolve(name, pull=False)


def listing() -> list[Listed]:
    """Every model of the registry, with how much of it is here."""
    store = Store(home())
    return [store.listed(entry) for entry in entries()]


def _is_path(name: str) -> bool:
    return name.startswith((".", "~", "/")) or name.endswith(".gguf")


def _local(name: str, progress: Progress) -> Path:
    place = Path(name).expanduser()
    if place.is_dir():
        return check(place.resolve())
    if place.is_file() and place.suffix == ".gguf":
        return Store(home()).adopt(place.resolve(), progress)
    if place.is_file():
        raise ModelError(f"{place} is neither a GGUF file nor a model directory: point at one of these")
    if _is_path(name):
        raise ModelError(f"{place} does not exist: give the path of a GGUF file or of a Hugging Face model directory")
    raise unknown(name, entries())

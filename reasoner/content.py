"""Finds the content folders: what the model may call, where that runs, and what it reads. Never imports them."""

import io
import tomllib
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args

from reasoner.errors import ReasonerError, ToolError
from reasoner.types import Limits, Tool, ToolState

Kind = Literal["tools", "sandbox", "templates"]

_LIMITS = frozenset(field.name for field in fields(Limits))
_EPOCH = (1980, 1, 1, 0, 0, 0)


def content_dir(kind: Kind) -> Path:
    """`reasoner/_content/<kind>` of an installed wheel, else the folder of that name in the checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_content" / kind, package.parent / kind):
        if folder.is_dir():
            return folder
    raise ReasonerError(f"the folder {kind}/ is missing from this installation of reasoner: install it again")


def load_tool(folder: Path) -> Tool:
    """The tool of a folder that holds `tool.toml` (its manifest) and `run.py` (its program). Raises `ToolError`."""
    path = folder / "tool.toml"
    try:
        manifest = tomllib.loads(path.read_text(encoding="utf-8"))
        program = _program(folder)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ToolError(f"the tool in {folder} cannot be read: {error}") from error
    name, description = _text(path, manifest, "name"), _text(path, manifest, "description")
    state = next((known for known in get_args(ToolState) if known == manifest.get("state")), None)
    if state is None:
        raise ToolError(f"{path}: state is {manifest.get('state')!r}, it must be 'heap' or 'files'")
    parameters = manifest.get("parameters", {"type": "object", "properties": {}})
    if not isinstance(parameters, dict):
        raise ToolError(f"{path}: parameters must be a table that holds a JSON Schema")
    if unknown := sorted(manifest.keys() - {"name", "description", "state", "parameters", "limits"}):
        raise ToolError(f"{path}: unknown key {unknown[0]!r}, remove it")
    return Tool(name, description, state, parameters, program, _limits(path, manifest.get("limits", {})))


def _text(path: Path, manifest: dict[str, Any], key: str) -> str:
    value = manifest.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ToolError(f"{path}: {key} is missing, give it as a text")
    return value


def _limits(path: Path, table: object) -> Limits:
    if not isinstance(table, dict) or not table.keys() <= _LIMITS:
        raise ToolError(f"{path}: limits must be a table with keys among {', '.join(sorted(_LIMITS))}")
    if bad := [key for key, value in table.items() if not isinstance(value, int | float) or value <= 0]:
        raise ToolError(f"{path}: limits.{bad[0]} is {table[bad[0]]!r}, it must be a number above 0")
    return Limits(**table)


def _program(folder: Path) -> bytes:
    """`run.py`; where modules stand beside it, all of them in one archive that `python3` runs just like a script."""
    main = (folder / "run.py").read_bytes()
    modules = sorted(path for path in folder.glob("*.py") if path.name != "run.py")
    if not modules:
        return main
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr(zipfile.ZipInfo("__main__.py", _EPOCH), main)
        for path in modules:
            files.writestr(zipfile.ZipInfo(path.name, _EPOCH), path.read_bytes())
    return archive.getvalue()

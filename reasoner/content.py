"""Finds the content folders: what the model may call, where that runs, and what it reads. Never imports them."""

import io
import json
import math
import re
import tomllib
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args

from reasoner.errors import ReasonerError, ToolError
from reasoner.types import Limits, Tool, ToolState

Kind = Literal["tools", "sandbox", "templates"]

_LIMITS = {field.name: type(field.default) for field in fields(Limits)}
_KEYS = frozenset({"name", "description", "state", "host", "warm", "parameters", "limits"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""What chat templates and servers take as the name of a function."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def content_dir(kind: Kind) -> Path:
    """`reasoner/_content/<kind>` of an installed wheel, else the folder of that name in the checkout."""
    package = Path(__file__).resolve().parent
    folders = (package / "_content" / kind, package.parent / kind)
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        raise ReasonerError(f"the folder {kind}/ is missing from this installation of reasoner: install it again")
    return folder


def load_tool(folder: Path) -> Tool:
    """The tool of a folder that holds `tool.toml` (its manifest) and `run.py` (its program). Raises `ToolError`."""
    path = folder / "tool.toml"
    manifest, program = _read(path)
    if unknown := sorted(manifest.keys() - _KEYS):
        raise ToolError(f"{path}: unknown key {unknown[0]!r}, remove it")
    name, description = _text(path, manifest, "name"), _text(path, manifest, "description")
    if not _NAME.fullmatch(name):
        raise ToolError(f"{path}: name is {name!r}, it must be at most 64 letters, digits, _ and -")
    state = next((known for known in get_args(ToolState) if known == manifest.get("state")), None)
    if state is None:
        raise ToolError(f"{path}: state is {manifest.get('state')!r}, it must be 'heap' or 'files'")
    host = _text(path, manifest, "host") if "host" in manifest else ""
    if host and state == "heap":
        raise ToolError(f"{path}: host is {host!r}, but no program of a 'heap' tool takes what it brings")
    warm = manifest.get("warm", False)
    if not isinstance(warm, bool):
        raise ToolError(f"{path}: warm is {warm!r}, it must be true or false")
    return Tool(name, description, state, _parameters(path, manifest), program, _limits(path, manifest), host, warm)


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), _program(path.parent)
    except OSError as error:
        raise ToolError(f"{error.filename or path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ToolError(f"{path} cannot be read: {error}") from error


def _text(path: Path, manifest: dict[str, Any], key: str) -> str:
    value = manifest.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ToolError(f"{path}: {key} is missing, give it as a text")
    return value


def _parameters(path: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """A schema of JSON values. Whether it is a good one is not known here."""
    parameters = manifest.get("parameters", {"type": "object", "properties": {}})
    if not isinstance(parameters, dict):
        raise ToolError(f"{path}: parameters must be a table that holds a JSON Schema")
    if parameters.get("type") != "object":
        raise ToolError(f"{path}: parameters.type is {parameters.get('type')!r}, it must be 'object'")
    try:
        json.dumps(parameters, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ToolError(f"{path}: parameters holds what is no JSON value: {error}") from error
    return parameters


def _limits(path: Path, manifest: dict[str, Any]) -> Limits:
    table = manifest.get("limits", {})
    if not isinstance(table, dict):
        raise ToolError(f"{path}: limits must be a table with keys among {', '.join(_LIMITS)}")
    for key, value in table.items():
        if key not in _LIMITS:
            raise ToolError(f"{path}: limits.{key} is unknown, the keys are {', '.join(_LIMITS)}")
        if type(value) not in (int, _LIMITS[key]) or not 0 < value < math.inf:
            whole = "whole " if _LIMITS[key] is int else ""
            raise ToolError(f"{path}: limits.{key} is {value!r}, it must be a {whole}number above 0")
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

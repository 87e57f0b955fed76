"""What an interpreter on this machine consists of, so that a copy of it can run where nothing else is."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasoner.errors import SandboxError

_OLDEST = (3, 11)
_DESCRIBE = """
import json, os, site, sys, sysconfig
print(json.dumps({
    "base": os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable),
    "release": sys.version_info[:2],
    "build": sys.version,
    "implementation": sys.implementation.name,
    "stdlib": os.path.dirname(os.path.realpath(os.__file__)),
    "dynload": [p for p in sys.path if p.endswith("lib-dynload")],
    "platlib": sys.platlibdir,
    "own": sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}),
    "sites": site.getsitepackages(["/usr"]),
}))
"""
_WHEELS_EXPECT = (
    *("libstdc++.so.6", "libgcc_s.so.1", "libnss_files.so.2", "libm.so.6", "libresolv.so.2"),
    *("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1"),
)
"""Libraries that binary wheels take for granted."""
_UNUSED = ("_tkinter", "nis", "_test", "xx")
"""Extension modules that are of no use in a world: windows, yellow pages, CPython's own tests."""


@dataclass(frozen=True)
class Interpreter:
    executable: Path
    """The real binary, no link and not a virtual environment's."""
    release: tuple[int, int]
    build: str
    stdlib: Path
    dynload: Path | None
    platlib: str
    """"lib" or "lib64": where this build looks for its own libraries below its prefix."""
    sites: tuple[str, ...]
    """Where a copy below /usr looks for installed packages."""


def interpreter(python: Path) -> Interpreter:
    """The base interpreter of `python`, an executable or a virtual environment's.

    Raises:
        SandboxError: it does not run, or is too old to be the guest's.
    """
    first = _ask(python)
    found = _ask(Path(first["base"]))
    release = (int(found["release"][0]), int(found["release"][1]))
    if found["implementation"] != "cpython" or release < _OLDEST:
        raise SandboxError(
            f"{python} is {found['implementation']} {release[0]}.{release[1]}; the sandbox runs CPython 3.11 or newer: "
            "make the environment with a newer one"
        )
    dynload = found["dynload"]
    return Interpreter(
        Path(found["base"]),
        release,
        found["build"],
        Path(found["stdlib"]),
        Path(dynload[0]) if dynload else None,
        found["platlib"],
        tuple(found["sites"]),
    )


def environment_packages(python: Path) -> Path:
    """The folder of packages of the virtual environment that `python` belongs to.

    Raises:
        SandboxError: it has none, or two.
    """
    own = [Path(p) for p in _ask(python)["own"]]
    found = [p for p in dict.fromkeys(p.resolve() for p in own) if p.is_dir()]
    if len(found) != 1:
        raise SandboxError(f"{python} has {len(found)} folders of packages where one is expected: {own}")
    return found[0]


def extensions(found: Interpreter) -> list[Path]:
    """The extension modules of the standard library that a world gets."""
    present = sorted(found.dynload.glob("*.so")) if found.dynload else []
    return [path for path in present if not path.name.startswith(_UNUSED)]


def libraries(found: Interpreter) -> dict[str, Path]:
    """Every shared library that the interpreter and its extension modules load: place in the copy -> file here."""
    placed = _closure([found.executable, *extensions(found)])
    home = next((Path(place).parent for place in placed if Path(place).name.startswith("libc.so")), None)
    if home is None:
        raise SandboxError(f"ldd finds no C library for {found.executable}: build the sandbox from a glibc interpreter")
    wanted = [home / name for name in _WHEELS_EXPECT if (home / name).is_file()]
    placed |= _closure(wanted) | {str(path): path for path in wanted}
    loader = {place: file for place, file in placed.items() if Path(place).name.startswith("ld-")}
    return loader | {str(home / Path(place).name): file for place, file in placed.items() if place not in loader}


def _closure(binaries: list[Path]) -> dict[str, Path]:
    done = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False, timeout=60)
    names = re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", done.stdout, re.MULTILINE)
    return {name: Path(name).resolve() for name in names}


def _ask(python: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", _DESCRIBE], capture_output=True, text=True, check=True, timeout=60, cwd="/"
        )
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise SandboxError(f"{python} cannot be used as the sandbox's Python ({error}): name one that runs") from error
    assert isinstance(answer, dict)
    return answer

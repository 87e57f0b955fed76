"""What this machine can do: looked up, never changed, and nothing is asked of the network.

Each finding is a fact with a grade. `poor` costs speed or a feature, `missing` means that no task can be solved here
until its remedy is done.
"""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reasoner import models
from reasoner.models.store import home
from reasoner.sandboxes import probe

Grade = Literal["good", "poor", "missing"]

_MEMORY_NEEDED, _MEMORY_WANTED = 2.0, 4.0
_DISK_NEEDED = 2.5
"""GB. The default model takes 1 on disk and half as much more while it is fetched."""
_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")


@dataclass(frozen=True)
class Finding:
    name: str
    said: str
    grade: Grade = "good"
    remedy: str = ""


async def examine() -> list[Finding]:
    """Look at everything; a few seconds, of which most is the import of torch and one world of each sandbox."""
    return [_python(), *_torch(), _memory(), _disk(), *await _sandboxes(), *_models()]


def advice(findings: Sequence[Finding]) -> list[str]:
    """What to do next: what is missing first, else how to begin, then what would help."""
    missing = [f.remedy for f in findings if f.grade == "missing" and f.remedy]
    helpful = [f.remedy for f in findings if f.grade == "poor" and f.remedy]
    if missing:
        return missing
    here = any(f.name == "model" and f.grade == "good" for f in findings)
    first = "solve a task: reasoner solve PATH" if here else "fetch the default model: reasoner models pull"
    return [first, *helpful]


def _python() -> Finding:
    return Finding("python", f"{platform.python_version()} ({sys.executable})")


def _torch() -> list[Finding]:
    try:
        import torch
    except ImportError as error:
        remedy = "install reasoner again: pip install --force-reinstall reasoner"
        return [Finding("torch", f"cannot be imported ({error})", "missing", remedy)]
    from reasoner.cores.local.precision import multiplies_bfloat16

    flags = [flag for flag in _FEATURES if flag in _cpu_flags()]
    transformers = importlib.metadata.version("transformers")
    cpu = f"{len(os.sched_getaffinity(0))} CPUs, {torch.get_num_threads()} threads, {' '.join(flags) or 'no AVX2'}"
    quick = multiplies_bfloat16()
    slow = "" if quick else "without bfloat16 the model takes twice the memory, and longer: lower --attempts"
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none that torch sees"
    return [
        Finding("torch", f"{torch.__version__}, transformers {transformers}"),
        Finding("cpu", cpu, "good" if quick else "poor", slow),
        Finding("gpu", gpu),
    ]


def _memory() -> Finding:
    available = _available_memory() / 1e9
    said = f"{available:.1f} GB available"
    if available < _MEMORY_NEEDED:
        return Finding("memory", said, "missing", f"free memory: the default model needs {_MEMORY_NEEDED:.0f} GB")
    if available < _MEMORY_WANTED:
        return Finding("memory", said, "poor", "free some memory, or lower --width, for faster searches")
    return Finding("memory", said)


def _disk() -> Finding:
    place = home()
    there = next(folder for folder in (place, *place.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free / 1e9
    said = f"{free:.1f} GB free for {place}"
    if not os.access(there, os.W_OK):
        return Finding("disk", f"{place} cannot be written", "missing", "point REASONER_HOME at a folder of yours")
    if free < _DISK_NEEDED:
        return Finding("disk", said, "poor", "free some disk space, or point REASONER_HOME at a larger disk")
    return Finding("disk", said)


async def _sandboxes() -> list[Finding]:
    found = await probe()
    usable = any(each.usable for each in found)
    grade: Grade = "poor" if usable else "missing"
    return [
        Finding("sandbox", f"{each.kind}: usable, closes as {each.level}")
        if each.usable
        else Finding("sandbox", f"{each.kind}: {each.cause}", grade, "" if usable else f"{each.kind}: {each.cause}")
        for each in found
    ]


def _models() -> list[Finding]:
    found = []
    for listed in models.listing():
        name, is_default = listed.entry.name, listed.entry.default
        if listed.state == "ready":
            found.append(Finding("model", f"{name}, {listed.bytes / 1e6:,.0f} MB"))
        elif is_default:
            state = "partly fetched" if listed.state == "partial" else "not here yet"
            found.append(Finding("model", f"{name} (the default): {state}; it is fetched when it is needed", "poor"))
    return found


def _cpu_flags() -> set[str]:
    """Features as Linux names them; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    named = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return set(named.partition(":")[2].split())


def _available_memory() -> int:
    """Bytes that a process can still have: what the kernel says, or less where a control group says so."""
    amounts = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    info = Path("/proc/meminfo")
    if info.is_file():
        rows = dict(line.split(":", 1) for line in info.read_text(encoding="ascii").splitlines())
        amounts = [int(rows["MemAvailable"].split()[0]) * 1024]
    amounts += [room for folder in ("/sys/fs/cgroup", "/sys/fs/cgroup/memory") if (room := _group_room(Path(folder)))]
    return min(amounts)


def _group_room(folder: Path) -> int | None:
    """What a control group has left, None where it sets no bound."""
    for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        try:
            bound, now = (folder / limit).read_text(encoding="ascii"), (folder / used).read_text(encoding="ascii")
        except OSError:
            continue
        return int(bound) - int(now) if bound.strip() != "max" and int(bound) < 1 << 60 else None
    return None

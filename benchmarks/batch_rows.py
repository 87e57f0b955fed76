"""Rows of `batch.py` that need no model: what the runtime costs, what it forgets, what it wastes, what it can open."""

import asyncio
import json
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

from batch_scripted import AtOnce, drawn, figure, says, scripted, tasks, work
from batch_slots import mixed

from reasoner.batch import Job, Record, read_records
from reasoner.batch.folder import CONFIG, RESULTS
from reasoner.batch.records import encode
from reasoner.cores.scripted import ScriptedCore
from reasoner.trace import Event, Listener, Recorder

ROOT = Path(__file__).resolve().parent.parent
TASKS = 500


def overhead(flags: Namespace) -> dict[str, Any]:
    """What a step takes when the core answers at once, beside a round trip through a thread; by turns."""
    mine, floor, cpu, bare_cpu = [], [], [], []
    rounds, each = 5, TASKS // (25 if flags.quick else 5)
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds + 1):
            reasoner, core = scripted(AtOnce())
            wall, used = _timed(lambda at=Path(folder) / str(turn), by=reasoner: work(by, each, at))
            calls = sum(int(r.spent["tool_calls"]) for r in read_records(Path(folder) / str(turn) / RESULTS))
            steps = len(core.asked) + calls
            bare, bare_used = asyncio.run(_round_trips(1000))
            if turn:
                mine.append(wall / steps), cpu.append(used / steps), floor.append(bare), bare_cpu.append(bare_used)
    a, b, c, d = (statistics.median(side) * 1e6 for side in (mine, floor, cpu, bare_cpu))
    print(f"a step {a:.0f} µs, of it {c:.0f} of CPU; a round trip through a thread {b:.0f} µs, of it {d:.0f} of CPU")
    against = "a bare asyncio round trip through a thread"
    return {
        "overhead": figure(a / b, 20, f"x a step, {rounds * each} tasks", "lower", against),
        "overhead_cpu": figure(c / d, None, "x a step, CPU time", "lower", against),
    }


def _timed(call: Any) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


async def _round_trips(count: int) -> tuple[float, float]:
    """Seconds of one, and of them CPU."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as pool:
        for _ in range(count // 10):
            await loop.run_in_executor(pool, int)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            await loop.run_in_executor(pool, int)
        return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


def memory(flags: Namespace) -> dict[str, Any]:
    """Resident memory after a fifth of the tasks and after all; what the scripted core keeps for tests is dropped."""
    count = TASKS // 5 if flags.quick else TASKS
    reasoner, core = scripted(AtOnce())
    seen = _Resident(core, {count // 5, count})
    with tempfile.TemporaryDirectory() as folder:
        work(reasoner, count, Path(folder) / "out", watcher=seen)
    first, last = seen.bytes
    print(f"{first >> 20} MB after {count // 5} tasks, {last >> 20} MB after {count}")
    return {"memory": figure(last / first, 1.1, f"x after {count} tasks", "lower", "after a fifth of them")}


class _Resident:
    """Satisfies `Watcher`."""

    def __init__(self, core: ScriptedCore, at: set[int]) -> None:
        self._core, self._at, self._done = core, at, 0
        self.bytes: list[int] = []

    def begun(self, job: Job) -> Listener:
        return _nobody

    def kept(self, job: Job, record: Record) -> None:
        self._core.asked.clear()
        self._core._memory._seen.clear()
        self._done += 1
        if self._done in self._at:
            self.bytes.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))


def _nobody(event: Event) -> None:
    pass


def kills(flags: Namespace) -> dict[str, Any]:
    """kill -9 at random moments, and the same again, until all is done; beside a run that was left alone."""
    wanted, count, chance = (10, 50, random.Random(8)) if flags.quick else (100, TASKS, random.Random(8))
    with tempfile.TemporaryDirectory() as folder:
        alone, killed = Path(folder) / "alone", Path(folder) / "killed"
        _process(alone, count).join()
        kills = ends = 0
        while not ends:
            before = _lines(killed)
            process = _process(killed, count)
            until = before + (chance.randrange(3 * count // (2 * wanted)) if kills < wanted else count)
            while process.is_alive() and _lines(killed) < until:
                time.sleep(0.0005)
            time.sleep(chance.uniform(0.0, 0.02))
            process.kill()
            process.join()
            assert _lines(killed) >= before, "a record is lost"
            ends, kills = int(process.exitcode == 0), kills + (process.exitcode != 0)
        first, second = _compared(alone), _compared(killed)
    twice = sum(n - 1 for n in Counter(line["task"] for line in map(json.loads, second)).values())
    differing = sum(a != b for a, b in zip(first, second, strict=False)) + abs(len(first) - len(second))
    print(f"{kills} kills: {len(second)} records of {count} tasks, {twice} twice, {differing} other than undisturbed")
    return {
        "kills": figure(kills, wanted, "kills -9", "higher", f"{count} tasks"),
        "kills_twice": figure(twice, 0, "tasks done twice", "lower", f"{kills} kills"),
        "kills_lost": figure(count - len(second) + twice, 0, "tasks lost", "lower", f"{kills} kills"),
        "kills_differing": figure(differing, 0, "lines", "lower", "an undisturbed run's, times left out, sorted"),
    }


def _process(out: Path, count: int) -> Any:
    process = multiprocessing.get_context("fork").Process(target=lambda: work(scripted()[0], count, out))
    process.start()
    return process


def _lines(out: Path) -> int:
    results = out / RESULTS
    return results.read_bytes().count(b"\n") if results.exists() else 0


def _compared(out: Path) -> list[str]:
    return sorted(json.dumps(record.compared(), sort_keys=True) for record in read_records(out / RESULTS))


SLOTS = 16, 32, 64
WAVES = 20
"""Tasks for each slot: fewer are all in flight before the first is done."""
MIXES: dict[str, dict[str, Any]] = {"default": {}, "single": {"strategy": "single"}}


def busy(flags: Namespace) -> dict[str, Any]:
    """Decode slots in use, in virtual time, while tasks wait to begin: completions of 1 to 5 s, tools of 0 to 5 s."""
    figures = {}
    for slots, (name, how) in product(SLOTS[:1] if flags.quick else SLOTS, MIXES.items()):
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(
                mixed((WAVES // 2 if flags.quick else WAVES) * slots, slots, Path(folder) / "out", **how)
            )
        print(f"{name}: {found:.1%} of {slots} slots in use")
        against = f"{slots} slots, tools of 0 to 5 s"
        figures[f"busy_{name}_{slots}"] = figure(100 * found, 85, "% of decode slots", "higher", against)
    return figures


def view(flags: Namespace) -> dict[str, Any]:
    """A trace of 10,000 events as a page: how long it takes to write, and to open in a headless Chromium."""
    sys.path.insert(0, str(ROOT))
    from tests.report.browser import CHROMIUM, Browser

    attempts = 1_250 if flags.quick else 3_340
    with tempfile.TemporaryDirectory() as folder:
        trace, page = Path(folder) / "trace.jsonl", Path(folder) / "page.html"
        events = _recorded(trace, attempts)
        made, _ = _command("view", trace, "-o", page)
        against = f"{events:,} events, {page.stat().st_size / 2**20:.0f} MB"
        print(f"{against}: page written in {made:.1f} s")
        figures = {"view_written": figure(made, None, "s", "lower", against)}
        if not CHROMIUM:
            print("no Chromium here: opening was not measured")
            return figures
        browser = Browser(Path(folder) / "profile")
        times = []
        for _ in range(3):
            start = time.perf_counter()
            browser.open(page)
            assert browser.run("document.querySelectorAll('.row').length") > 0
            times.append(time.perf_counter() - start)
        browser.close()
    opens = statistics.median(times)
    print(f"opened in {opens:.2f} s: {' '.join(f'{one:.2f}' for one in times)}")
    return {**figures, "view_opens": figure(opens, 2, "s", "lower", against)}


def _recorded(path: Path, attempts: int) -> int:
    """A search in which nothing passes. Returns how many events it has."""
    reasoner, core = scripted(AtOnce(), strategy="best_of_n", attempts=attempts)
    core._replies = lambda text, sampling: says(f"never {text}", sampling)
    never = next(task for task in tasks(10_000) if drawn(task.id) % 2)
    reasoner.sandbox._answer = _fails  # type: ignore[attr-defined]
    recorder = Recorder(path, core.clock)
    asyncio.run(reasoner.solve(never, recorder))
    recorder.close()
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _fails(name: str, arguments: Any, files: Any) -> Any:
    from reasoner.types import ToolResult

    rows = [{"name": "test", "outcome": "failed", "message": "assert 6 == 7\n  where 6 = times(2)"}]
    return ToolResult(value={"tests": rows, "error": "", "trust": "strong"}, cpu_s=0.01)


def report(flags: Namespace) -> dict[str, Any]:
    """A run whose results are a gigabyte, as tables and a page: the most memory that `report` takes."""
    size = (100 << 20) if flags.quick else (1 << 30)
    with tempfile.TemporaryDirectory(dir=ROOT / "runs") as folder:
        out = Path(folder) / "run"
        records = _large(out, size)
        seconds, most = _command("report", out, "--html", Path(folder) / "page.html")
    print(f"{size >> 20} MB, {records:,} records: {seconds:.0f} s, at most {most / 2**20:.0f} MB of memory")
    return {
        "report_memory": figure(most / 2**20, 1024, "MB", "lower", f"{size >> 20} MB of results"),
        "report_s": figure(seconds, None, "s", "lower", f"{records} records"),
    }


def _large(out: Path, size: int) -> int:
    """Records of real shape, four epochs, until there are so many bytes; their number."""
    out.mkdir(parents=True)
    (out / CONFIG).write_text(json.dumps({"config": {"search": {"strategy": "auto"}}}))
    code, written, number = "    x = x * 2  # and so on\n" * 400, 0, 0
    with (out / RESULTS).open("wb") as file:
        while written < size:
            outcome = "solved" if drawn(number) % 3 else "unsolved"
            spent = {"prefilled": 200, "cached": 40, "decoded": drawn("tokens", number) % 4000}
            record = Record(f"task/{number // 4}", number % 4, 1, outcome, number % 4, files={"solution.py": code},
                            core="scripted", spent=spent)  # fmt: skip
            written += file.write(encode(record))
            number += 1
    return number


def _command(*arguments: object) -> tuple[float, int]:
    """Seconds of `reasoner …`, and the most memory that it took, in bytes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "reasoner", *map(str, arguments)], check=True, capture_output=True)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10

"""A disk that is full: the run ends with one sentence, what was kept can be read, and the same command goes on."""

import subprocess
import sys
from pathlib import Path

from reasoner.batch import read_records

VICTIM = Path(__file__).with_name("victim.py")
SMALL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000)); import runpy, sys; "
RUN = "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
TASKS = 20


def ran(program: str, out: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", program, str(VICTIM), str(out), str(TASKS)]
    return subprocess.run(command, capture_output=True, text=True)


def compared(out: Path) -> list[str]:
    return sorted(repr(sorted(r.compared().items())) for r in read_records(out / "results.jsonl"))


def test_a_full_disk_ends_a_run_with_a_sentence_and_costs_nothing_that_was_kept(tmp_path: Path) -> None:
    full, alone = tmp_path / "full", tmp_path / "alone"
    ended = ran(SMALL + RUN, full)
    assert ended.returncode != 0
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("reasoner.errors.TraceError: cannot write") and "free some space" in last
    kept = len(list(read_records(full / "results.jsonl")))
    assert 0 < kept < TASKS
    assert ran("import runpy, sys; " + RUN, full).returncode == 0
    assert ran("import runpy, sys; " + RUN, alone).returncode == 0
    assert compared(full) == compared(alone)

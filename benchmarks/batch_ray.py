"""The row of `batch.py` that needs Ray: two nodes of this machine, one of them killed in the middle."""

import importlib.util
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

from batch_scripted import figure

from reasoner.batch import read_records
from reasoner.batch.folder import RESULTS

NODES = Path(__file__).resolve().parent.parent / "tests" / "batch" / "nodes.py"


def ray(flags: Namespace) -> dict[str, Any]:
    """Tasks that were not done, and those that were done twice."""
    if importlib.util.find_spec("ray") is None:
        print("ray: skipped, the extra is not installed")
        return {}
    count = 200 if flags.quick else 1000
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        ran = subprocess.run([sys.executable, str(NODES), str(out), str(count)], check=True, stdout=subprocess.PIPE)
        done = Counter(record.task for record in read_records(out / RESULTS) if record.is_last_word)
    lost, twice = count - len(done), sum(done.values()) - len(done)
    print(f"{ran.stdout.decode().splitlines()[0]}: {len(done)} of {count} tasks done, {twice} twice")
    against = f"{count} tasks on two nodes, one killed"
    return {
        "ray_lost": figure(lost, 0, "tasks", "lower", against),
        "ray_twice": figure(twice, 0, "tasks", "lower", against),
    }

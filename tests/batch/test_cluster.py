"""A run over nodes: a real Ray cluster of two nodes on this machine, and what is said where there is none."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from reasoner.batch import read_records
from reasoner.cli import main

NODES, VICTIM = Path(__file__).with_name("nodes.py"), Path(__file__).with_name("victim.py")
HAS_RAY = importlib.util.find_spec("ray") is not None
TASKS = 120


def compared(out: Path) -> list[str]:
    return sorted(json.dumps(r.compared(), sort_keys=True) for r in read_records(out / "results.jsonl"))


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs the extra 'ray'")
def test_a_node_that_is_killed_in_the_middle_costs_no_task_and_none_is_done_twice(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    ran = subprocess.run([sys.executable, str(NODES), str(there), str(TASKS)], capture_output=True, text=True)
    assert "killed a node of 2 after 40 records" in ran.stdout, ran.stderr[-2000:]
    subprocess.run([sys.executable, str(VICTIM), str(here), str(TASKS)], check=True, capture_output=True)
    records = list(read_records(there / "results.jsonl"))
    assert sorted(record.task for record in records) == sorted(f"q/{n}" for n in range(TASKS))
    assert compared(there) == compared(here), "as one process would have done it"
    assert all((there / record.trace).stat().st_size for record in records), "the nodes' traces came along"


def test_a_cluster_that_is_not_there_is_said_in_one_sentence(tmp_path: Path, capsys) -> None:
    problems = tmp_path / "p.jsonl"
    problems.write_text('{"question": "What is 1 plus 1?", "answer": "2"}\n', encoding="utf-8")
    assert main(["run", str(problems), "-o", str(tmp_path / "out"), "--ray", "127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert ("no Ray cluster answers at 127.0.0.1:1" if HAS_RAY else "pip install 'reasoner[ray]'") in said

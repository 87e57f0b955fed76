"""A run over nodes: a real Ray cluster of two nodes on this machine, and what is said where there is none."""

import asyncio
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from reasoner import trace
from reasoner.batch import read_records
from reasoner.cli import main
from tests.cores.remote.conftest import Server, events, listing
from tests.cores.remote.test_chat import PATH as CHAT
from tests.cores.remote.test_chat import chunk

NODES, VICTIM = Path(__file__).with_name("nodes.py"), Path(__file__).with_name("victim.py")
HAS_RAY = importlib.util.find_spec("ray") is not None
TASKS = 120


def compared(out: Path) -> list[str]:
    records = (record for record in read_records(out / "results.jsonl") if record.task != "bad")
    return sorted(json.dumps(record.compared(), sort_keys=True) for record in records)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs the extra 'ray'")
def test_a_node_that_is_killed_in_the_middle_costs_no_task_and_none_is_done_twice(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    ran = subprocess.run([sys.executable, str(NODES), str(there), str(TASKS)], capture_output=True, text=True)
    assert "killed a node of 2 after 40 records" in ran.stdout, ran.stderr[-2000:]
    subprocess.run([sys.executable, str(VICTIM), str(here), str(TASKS)], check=True, capture_output=True)
    records = [record for record in read_records(there / "results.jsonl") if record.task != "bad"]
    assert sorted(record.task for record in records) == sorted(f"q/{n}" for n in range(TASKS))
    bad = [record for record in read_records(there / "results.jsonl") if record.task == "bad"]
    assert [(record.attempt, record.outcome) for record in bad] == [(1, "failed"), (2, "failed")]
    assert all("failed under bad (RuntimeError: a defect of ours)" in record.reason for record in bad)
    assert compared(there) == compared(here), "as one process would have done it"
    assert all((there / record.trace).stat().st_size for record in records), "the nodes' traces came along"


def test_a_cluster_that_is_not_there_is_said_in_one_sentence(tmp_path: Path, capsys) -> None:
    problems = tmp_path / "p.jsonl"
    problems.write_text('{"question": "What is 1 plus 1?", "answer": "2"}\n', encoding="utf-8")
    assert main(["run", str(problems), "-o", str(tmp_path / "out"), "--ray", "127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert ("no Ray cluster answers at 127.0.0.1:1" if HAS_RAY else "pip install 'reasoner[ray]'") in said


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="needs the extra 'ray'")
async def test_the_command_opens_its_settings_on_a_node_and_brings_records_and_traces_home(tmp_path: Path) -> None:
    server, problems, out = Server(), tmp_path / "p.jsonl", tmp_path / "out"
    lines = [json.dumps({"question": f"What is {n} plus {n}?", "answer": str(2 * n)}) for n in range(6)]
    problems.write_text("\n".join(lines), encoding="utf-8")
    server.on("/v1/models", listing("other", max_model_len=4096))
    server.on(CHAT, events(chunk("Answer: 4"), chunk(None, "stop")))
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        how = ("--ray", "local", "--url", url, "--sandbox", "bubblewrap", "--strategy", "single")
        ran = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "reasoner", "run", str(problems), "-o", str(out), *how, stderr=subprocess.PIPE
        )
        said = (await ran.communicate())[1].decode()
    assert ran.returncode == 0, said
    records = {record.task: record for record in read_records(out / "results.jsonl")}
    assert [records[str(n)].outcome for n in range(1, 7)] == ["unsolved", "unsolved", "solved", *["unsolved"] * 3]
    for record in records.values():
        assert trace.read(out / record.trace).began.task.id == record.task and record.level.startswith("bwrap")

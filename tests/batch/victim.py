"""A run on the scripted core in a process of its own, to be killed: `victim.py DIRECTORY TASKS`."""

import asyncio
import importlib.util
import sys
from pathlib import Path

from reasoner.batch import Folder, Job, run
from reasoner.cores.scripted import ScriptedCore
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Single


def main(out: Path, count: int) -> None:
    spec = importlib.util.spec_from_file_location("script", Path(__file__).with_name("conftest.py"))
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    core = ScriptedCore(script.reply)
    reasoner = Reasoner(core, ScriptedSandbox(), Single(), clock=core.clock)
    print("ready", flush=True)
    with Folder(out, script.SETTINGS) as folder:
        asyncio.run(run(reasoner, [Job(task) for task in script.questions(count)], folder, workers=8))


main(Path(sys.argv[1]), int(sys.argv[2]))

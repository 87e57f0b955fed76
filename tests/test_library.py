"""The public Reasoner, blocking and not, and the examples of the library, run as they stand."""

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from reasoner import Config, ConfigError, CoreError, Reasoner, Result, ScriptedCore, ScriptedSandbox, Task
from reasoner.batch import read_problems
from reasoner.config import SearchConfig
from reasoner.cores.scripted import Reply
from reasoner.types import ToolResult

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "library"
LEGS = Task("legs", "How many legs have 6 spiders?", answer="48")


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parts(*answers: str, always: str = "") -> dict:
    script = (lambda text, sampling: Reply(always)) if always else [Reply(answer) for answer in answers]
    return {"core": ScriptedCore(script), "sandbox": ScriptedSandbox()}


def test_five_lines_and_no_loop() -> None:
    with Reasoner(**parts(always="Answer: 48")) as solver:
        result = solver.solve(LEGS)
    assert (result.status, result.answer) == ("solved", "48")


async def test_the_same_without_blocking() -> None:
    async with Reasoner(**parts(always="Answer: 48")) as solver:
        assert (await solver.solve(LEGS)).answer == "48"


async def test_it_blocks_also_where_a_loop_runs_already() -> None:
    with Reasoner(**parts(always="Answer: 48")) as solver:
        assert solver.solve(LEGS).answer == "48"


def test_many_come_as_they_are_done_and_the_rest_can_be_left() -> None:
    core = ScriptedCore(lambda text, sampling: Reply("Answer: 1"))
    tasks = [Task(f"t{n}", f"What is {n}?") for n in range(30)]
    with Reasoner(core=core, sandbox=ScriptedSandbox()) as solver:
        assert {r.task_id for r in solver.solve_all(tasks, workers=7)} == {task.id for task in tasks}
        for result in solver.solve_all(tasks, workers=2):
            assert isinstance(result, Result)
            break
        assert solver.solve(LEGS).answer == "1"


def test_a_run_into_a_directory_goes_on_and_refuses_another_configuration(tmp_path: Path) -> None:
    problems, into = tmp_path / "q.jsonl", tmp_path / "run"
    problems.write_text("".join(json.dumps({"question": f"What is {n}?", "answer": "1"}) + "\n" for n in range(5)))
    some = replace(read_problems(problems), tasks=read_problems(problems).tasks[:2])
    with Reasoner(**parts(always="Answer: 1")) as solver:
        assert solver.run(some, into).solved == 2
        summary = solver.run(problems, into, epochs=2, workers=3)
        assert (summary.asked, summary.solved) == (10, 10)
    assert json.loads((into / "summary.json").read_text())["solved"] == 10
    own = parts(always="Answer: 1")
    with Reasoner(**own) as solver:
        assert solver.run(str(problems), str(into)).solved == 5 and not own["core"].asked
    with Reasoner(Config(search=SearchConfig(attempts=3)), **parts(always="Answer: 1")) as solver:
        with pytest.raises(ConfigError, match=r"config.search.attempts = 16, this one has 3"):
            solver.run(problems, into)
        assert json.loads((into / "summary.json").read_text())["asked"] == 5, "a refusal changes nothing"


def blocks() -> list[tuple[str, str]]:
    """All Python that README and docs show, and where."""
    texts = {
        path: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    }
    return [
        (f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, block.start()) + 2}", block[1])
        for path, text in texts.items()
        for block in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S)
    ]


@pytest.mark.parametrize(("where", "code"), blocks(), ids=[where for where, _ in blocks()])
def test_what_the_docs_show_of_python_compiles(where: str, code: str) -> None:
    compile(code, where, "exec")


def test_what_fails_is_raised_where_it_was_asked_and_nothing_is_left_running() -> None:
    before = threading.active_count()
    with Reasoner(**parts()) as solver, pytest.raises(CoreError, match="no reply"):
        solver.solve(LEGS)
    with Reasoner(**parts()) as solver, pytest.raises(CoreError, match="no reply"):
        list(solver.solve_all([LEGS]))
    assert threading.active_count() == before


def test_a_core_without_a_sandbox_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="a core of your own needs a sandbox of your own"):
        Reasoner(core=ScriptedCore([]))


def test_nothing_heavy_is_imported_before_it_is_entered() -> None:
    code = "from reasoner import Reasoner, Task; Reasoner(); import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "docker", "rich", "numpy"} & set(loaded)


def test_the_quickstart_says_an_answer_and_three_results(capsys: pytest.CaptureFixture[str]) -> None:
    example("quickstart").main(**parts(always="Answer: 48"))
    first, *others = capsys.readouterr().out.splitlines()
    assert first == "48"
    assert sorted(others) == ["legs-11 unsolved 48", "legs-3 unsolved 48", "legs-6 solved 48"]


def test_the_asynchronous_example_answers_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(example("asynchronous").main(**parts(always="Answer: 24")))
    assert capsys.readouterr().out.splitlines() == ["legs-3 24", "legs-6 24", "legs-11 24"]


@pytest.mark.parametrize(
    ("said", "answer"),
    [(("60", "60"), "60"), (("59", "60", "60"), "60"), (("60", "59", "60"), "60")],
)
def test_the_strategy_asks_a_third_time_only_where_two_disagree(said, answer, capsys) -> None:
    own = parts(*[f"Answer: {each}" for each in said])
    example("strategy").main(**own)
    assert capsys.readouterr().out.split()[0] == answer
    assert len(own["core"].asked) == len(said)


def test_the_verifier_decides_which_attempt_answers(capsys: pytest.CaptureFixture[str]) -> None:
    example("verifier").main(**parts(*[f"Answer: {each}" for each in ("1500", "15", "-3", "666")]))
    assert capsys.readouterr().out == "15\n"


def test_the_tool_is_offered_called_and_runs_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    call = '<tool_call>{"name": "roman", "arguments": {"number": 1994}}</tool_call>'
    core = ScriptedCore(lambda text, sampling: Reply("Answer: MCMXCIV" if "MCMXCIV" in text else call))
    called = []

    def run(name, arguments, files):
        called.append((name, dict(arguments)))
        return ToolResult(value={"roman": "MCMXCIV"})

    example("tool").main(core=core, sandbox=ScriptedSandbox(run))
    assert capsys.readouterr().out == "MCMXCIV\n"
    assert called[0] == ("roman", {"number": 1994})
    program = [sys.executable, str(EXAMPLES / "tools" / "roman" / "run.py")]
    done = subprocess.run(program, input='{"number": 1994}', capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"roman": "MCMXCIV"}

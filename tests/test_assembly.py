import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reasoner import models
from reasoner.assembly import assemble, put_together, unheard
from reasoner.config import (
    BudgetConfig,
    Config,
    CoreConfig,
    FetchConfig,
    LimitsConfig,
    SandboxConfig,
    SearchConfig,
    SpeechConfig,
)
from reasoner.cores.scripted import ScriptedCore
from reasoner.errors import ConfigError, ModelError
from reasoner.ledger import Budget
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import AUTO, BestOfN
from reasoner.stopping import Gain
from reasoner.types import Suite, Task

SANDBOX = SandboxConfig("bubblewrap")


def children() -> set[str]:
    return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


async def opened(config: Config) -> None:
    async with assemble(config):
        pytest.fail("nothing can be opened")


async def test_a_model_that_cannot_be_had_closes_the_sandbox_too() -> None:
    before = children()
    with pytest.raises(ModelError, match="/nowhere does not exist"):
        await opened(Config(core=CoreConfig("/nowhere"), sandbox=SANDBOX))
    for _ in range(100):
        if children() == before:
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"still running: {children() - before}")


async def test_a_strategy_that_is_none_opens_nothing() -> None:
    with pytest.raises(ConfigError, match="no strategy 'guess'"):
        await opened(Config(core=CoreConfig("/nowhere"), search=SearchConfig("guess")))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Config(tools=("/nowhere",)), "there is no tool in /nowhere"),
        (Config(fetch=FetchConfig(("localhost",))), "'localhost' cannot be allowed"),
    ],
)
async def test_tools_and_hosts_that_cannot_be_open_nothing(config: Config, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        await opened(replace(config, core=CoreConfig("/nowhere"), sandbox=SANDBOX))


@pytest.mark.parametrize(
    ("config", "judges"),
    [
        (Config(search=SearchConfig("vote")), ["Behaviour"]),
        (Config(search=SearchConfig("adaptive"), verifiers=("judge",)), ["Judge", "Behaviour"]),
        (Config(search=SearchConfig("vote"), verifiers=("self_tests",)), ["SelfTests"]),
        (Config(search=SearchConfig("vote", guide="behaviour")), ["Behaviour"]),
        (Config(search=SearchConfig("best_of_n")), []),
        (Config(), []),
    ],
)
def test_where_code_votes_something_lets_it_vote(config: Config, judges: list[str]) -> None:
    found = put_together(config, ScriptedCore([]), ScriptedSandbox()).verifiers
    assert [type(verifier).__name__ for verifier in found[2:]] == judges


CODE = Task("c", "x", editable=("a.py",), visible=Suite("asserts", asserts=("assert f(1) == 2",)))
BLIND, QUESTION = replace(CODE, visible=None), Task("q", "How many?")


@pytest.mark.parametrize(
    ("config", "task", "said"),
    [
        (Config(budget=BudgetConfig(confidence=0.9)), CODE, "a confidence of 0.9 ends no search for code"),
        (Config(budget=BudgetConfig(stop="agrees:3")), BLIND, "the policy agrees:3 ends no search for code"),
        (Config(budget=BudgetConfig(confidence=0.9)), QUESTION, ""),
        (Config(budget=BudgetConfig(confidence=0.9), search=SearchConfig("vote")), CODE, ""),
        (Config(budget=BudgetConfig(confidence=0.9), verifiers=("behaviour",)), CODE, "a confidence of 0.9"),
        (Config(budget=BudgetConfig(confidence=0.9), verifiers=("behaviour",)), BLIND, ""),
        (Config(budget=BudgetConfig(confidence=0.9), calibration="c.json"), CODE, ""),
        (Config(budget=BudgetConfig(stop="gain:2000+agrees:3")), CODE, ""),
        (Config().at("medium"), CODE, ""),
    ],
)
def test_what_can_end_no_search_is_said(config: Config, task: Task, said: str) -> None:
    assert unheard(config, [QUESTION, task]).startswith(said) and bool(unheard(config, [task])) == bool(said)


def test_a_policy_of_the_settings_ends_searches_of_its_kind() -> None:
    solver = put_together(Config(budget=BudgetConfig(stop="gain:50")), ScriptedCore([]), ScriptedSandbox())
    gains = {kind: [p for p in solver.policy(kind).policies if isinstance(p, Gain)] for kind in AUTO}  # type: ignore[attr-defined]
    assert gains == {"coding": [Gain(50)], "question": [Gain(50, "answer")]}


async def test_a_broken_manifest_is_an_error_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "tool.toml").write_text('name = "mine"\n')
    (tmp_path / "run.py").write_text("")
    with pytest.raises(ConfigError, match=r"tool\.toml: description is missing"):
        await opened(Config(core=CoreConfig("/nowhere"), tools=(str(tmp_path),)))


@pytest.mark.model
async def test_a_server_takes_no_adapter() -> None:
    with pytest.raises(ConfigError, match="runs its own model, not the adapter mine: leave out --core or --url"):
        await opened(Config(core=CoreConfig(url="http://localhost:1", adapter="mine"), sandbox=SANDBOX))


async def test_every_setting_arrives_where_it_counts(tmp_path: Path) -> None:
    own = tmp_path / "mine"
    own.mkdir()
    (own / "tool.toml").write_text('name = "mine"\ndescription = "Mine."\nstate = "files"\n')
    (own / "run.py").write_text("print(1)\n")
    try:
        models.path("smollm2-135m-instruct")
    except ModelError as error:
        pytest.skip(str(error))
    config = Config(
        CoreConfig("smollm2"),
        SANDBOX,
        SearchConfig("best_of_n", attempts=5, width=3, temperature=0.25, max_tokens=99, think=True, seed=7),
        BudgetConfig(tokens=1000),
        LimitsConfig(wall_s=4, cpu_s=3, memory_mb=128, disk_mb=2, processes=16),
        FetchConfig(("docs.python.org",)),
        (str(own),),
        speech=SpeechConfig(failed="reflect"),
    )
    async with assemble(config) as solver:
        assert solver.core.info.name == "smollm2-135m-instruct" and solver.speech.failed == "reflect"
        assert solver.sandbox.level.startswith("bwrap")
        assert isinstance(solver.strategy, Mapping)
        strategy = solver.strategy["coding"]
        assert isinstance(strategy, BestOfN) and strategy == solver.strategy["question"]
        assert (strategy.n, strategy.think) == (5, True)
        assert (strategy.sampling.temperature, strategy.sampling.max_tokens) == (0.25, 99)
        assert (solver.width, solver.seed) == (3, 7)
        assert solver.budget == Budget(tokens=1000)
        assert (solver.limits.wall_s, solver.limits.cpu_s, solver.limits.processes) == (4, 3, 16)
        assert (solver.limits.memory, solver.limits.disk) == (128 * 2**20, 2 * 2**20)
        assert [tool.name for tool in solver.toolbox] == ["fetch", "python", "run_tests", "mine"]
        assert solver.config["search"]["seed"] == 7

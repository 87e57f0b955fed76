"""From settings to a Reasoner that is ready to search: the one place that knows every implementation by name.

What is slow is done side by side: the model is fetched and loaded in a thread while the sandbox opens. Whatever was
opened is closed again, also when the other half fails or the wait is cancelled.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from reasoner import models, verifiers
from reasoner.completions import CoreInfo
from reasoner.config import BudgetConfig, Config, CoreConfig, FetchConfig, LimitsConfig
from reasoner.errors import ConfigError, ReasonerError, ToolError
from reasoner.ledger import Budget, Prices
from reasoner.models import adapters
from reasoner.models.progress import Progress, Silent
from reasoner.models.store import home
from reasoner.protocols import Core, Permit, Sandbox, StopPolicy, Strategy, Verifier
from reasoner.runtime import Reasoner
from reasoner.sandboxes import open_sandbox
from reasoner.search import AUTO, by_kind, votes
from reasoner.stopping import policy, stays
from reasoner.stopping.choose import Probability
from reasoner.toolbox import Service, Toolbox, load_tools
from reasoner.tree import VOTERS, Tree
from reasoner.types import Kind, Limits, NodeId, Task
from reasoner.verifiers import calibrate
from reasoner.verifiers.calibrate import Calibration
from reasoner.verifiers.evidence import evidence

_ON_CODE = VOTERS[1:]
"""Verifiers that let code vote."""


@asynccontextmanager
async def assemble(
    config: Config | None = None,
    *,
    progress: Progress | None = None,
    environment: Mapping[str, str] = os.environ,
    permit: Permit | None = None,
    strategy: Strategy | None = None,
    core: Core | None = None,
) -> AsyncIterator[Reasoner]:
    """Open the core and the sandbox that `config` names, and close both at the end. `progress` is told, from other
    threads, what is still needed; `environment` holds the server's key, `OPENAI_API_KEY`; `permit` is asked about hosts
    that `config` does not allow, if it says so; `strategy` and `core` take the place of those that it names.

    Raises:
        ConfigError, ModelError, CoreError, SandboxError: one of them cannot be had; the other is closed.
    """
    config = (config or Config()).settled()
    check(config)
    watched = _Abandonable(progress or Silent())
    opened, sandbox = await _side_by_side(
        _given(core) if core else _core(config.core, watched, environment),
        open_sandbox(config.sandbox.kind, python=config.sandbox.python or None, progress=watched.tell),
        watched,
    )
    try:
        yield put_together(config, opened, sandbox, permit, strategy)
    finally:
        await asyncio.gather(opened.close(), sandbox.close())


def check(config: Config) -> Toolbox:
    """Raises ConfigError where a search cannot be what `config` says, as far as that is known before anything is
    opened; the tools that it brings."""
    _stop(config, by_kind(config.search)), _prices(config), _verifiers(config)
    return _toolbox(config)


def put_together(
    config: Config, core: Core, sandbox: Sandbox, permit: Permit | None = None, strategy: Strategy | None = None
) -> Reasoner:
    """All that `config` says of a search, over a core and a sandbox that are open. Raises ConfigError."""
    config = config.settled()
    strategies = dict.fromkeys(AUTO, strategy) if strategy else by_kind(config.search)
    return Reasoner(
        core,
        sandbox,
        strategies,
        _toolbox(config, permit),
        _verifiers(config, core.info),
        _stop(config, strategies, core.info),
        _sure(config, core.info) or stays,
        budget=_budget(config.budget),
        prices=_prices(config),
        limits=_limits(config.limits),
        speech=config.speech,
        width=config.search.width,
        seed=config.search.seed,
        config=config.resolved(),
    )


def unheard(config: Config, tasks: Iterable[Task]) -> str:
    """A sentence where a confidence or a policy was asked for that can end nothing, since code has no votes here; what
    an effort sets is not asked for by itself."""
    budget, counting = config.budget, votes(config.search, "coding")
    said = []
    if budget.confidence and not budget.effort and not config.calibration:
        said.append(f"a confidence of {budget.confidence:g}")
    if budget.stop and all(part.startswith(("leads", "agrees")) for part in budget.stop.split("+")):
        said.append(f"the policy {budget.stop}")
    if not said or not any(
        task.kind == "coding" and not counting and (task.visible or not _voter(config, task.kind)) for task in tasks
    ):
        return ""
    return f"{' and '.join(said)} ends no search for code that counts no votes: try --strategy vote"


async def _side_by_side(
    core: Coroutine[Any, Any, Core], sandbox: Coroutine[Any, Any, Sandbox], watched: "_Abandonable"
) -> tuple[Core, Sandbox]:
    opening = asyncio.create_task(core), asyncio.create_task(sandbox)
    try:
        return await asyncio.gather(*opening)
    except BaseException:
        watched.abandoned.set()
        for half in opening:
            half.cancel()
        for opened in await asyncio.gather(*opening, return_exceptions=True):
            if not isinstance(opened, BaseException):
                await opened.close()
        raise


async def _given(core: Core) -> Core:
    return core


async def _core(config: CoreConfig, progress: Progress, environment: Mapping[str, str]) -> Core:
    if config.url and config.adapter not in ("", adapters.BASE):
        raise ConfigError(f"the server runs its own model, not the adapter {config.adapter}: leave out --core or --url")
    if config.url:
        return await _remote(config, environment.get("OPENAI_API_KEY") or None)
    loading = asyncio.create_task(asyncio.to_thread(_local, config, progress))
    try:
        return await asyncio.shield(loading)
    except asyncio.CancelledError:
        with suppress(_Abandoned, ReasonerError):
            await (await loading).close()
        raise


async def _remote(config: CoreConfig, key: str | None) -> Core:
    from reasoner.cores.remote import RemoteCore, Replicas

    tokenizer = Path(config.tokenizer) if config.tokenizer else None
    urls = [url.strip() for url in config.url.split(",") if url.strip()]
    if len(urls) > 1:
        return await Replicas.connect(urls, config.model, api_key=key, tokenizer_dir=tokenizer)
    return await RemoteCore.connect(config.url, config.model, api_key=key, tokenizer_dir=tokenizer)


def _local(config: CoreConfig, progress: Progress) -> Core:
    directory = models.resolve(config.model or models.default(), progress=progress)
    progress.begin(f"loading {directory.name}", 0)
    from reasoner.cores.local import LocalCore

    adapter = adapters.find(config.adapter, directory.name)
    return LocalCore(
        directory, dtype=config.dtype, device=config.device, threads=config.threads or None, adapter=adapter
    )


def _toolbox(config: Config, permit: Permit | None = None) -> Toolbox:
    """The tools that are shipped, and the user's own. Raises ConfigError when one of those cannot be used."""
    try:
        own = [tool for folder in config.tools for tool in load_tools(Path(folder).expanduser())]
        return Toolbox.standard(own, _services(config.fetch, config.limits, permit))
    except ToolError as error:
        raise ConfigError(str(error)) from error


def _services(config: FetchConfig, limits: LimitsConfig, permit: Permit | None) -> dict[str, Service]:
    asks = permit if config.ask else None
    if not config.allow and not asks:
        return {}
    from reasoner.broker import Bounds, Fetch

    cache = Path(config.cache).expanduser() if config.cache else home() / "pages"
    # A page takes room in its world twice: in base64 as the tool's input, and as a file when it is saved.
    bounds = Bounds(config.wall_s, min(config.size_mb * 2**20, limits.disk_mb * 2**20 // 3))
    return {"fetch": Fetch(config.allow, cache, permit=asks, refresh=config.refresh, bounds=bounds)}


def _verifiers(config: Config, core: CoreInfo | None = None) -> tuple[Verifier, ...]:
    """Those that were asked for, the one whose scores guide the search, and where attempts at code vote and nothing
    else lets them, what they do. Raises ConfigError."""
    return verifiers.make(_judges(config), core)


def _judges(config: Config) -> list[str]:
    names = [*config.verifiers, *filter(None, [config.search.guide])]
    alone = votes(config.search, "coding") and not set(_ON_CODE) & set(names)
    return [*names, "behaviour"] if alone else names


def _voter(config: Config, kind: Kind) -> str:
    """The source whose keys are votes for tasks of this kind; empty where there is none."""
    return "answer" if kind == "question" else next((name for name in _ON_CODE if name in _judges(config)), "")


def _stop(
    config: Config, strategies: Mapping[Kind, Strategy], core: CoreInfo | None = None
) -> Mapping[Kind, StopPolicy]:
    """Raises ConfigError when the calibration is another core's, or the confidence cannot be reached."""
    probability = _sure(config, core)
    return {
        kind: policy(
            config.budget,
            config.search,
            strategy.answer,
            probability,
            voter=_voter(config, kind),
            votes=votes(config.search, kind),
        )
        for kind, strategy in strategies.items()
    }


def _sure(config: Config, core: CoreInfo | None = None) -> Probability | None:
    """The calibrated probability that a node is right; None where there is no calibration."""
    if not config.calibration:
        return None
    return partial(_probability, calibrate.load(Path(config.calibration).expanduser(), core.digest if core else ""))


def _probability(known: Calibration, tree: Tree, node: NodeId) -> float | None:
    return known.probability(evidence(tree, node))


def _budget(config: BudgetConfig) -> Budget:
    tokens, wall_s, money = config.tokens or None, config.wall_s or None, config.money or None
    return Budget(tokens, wall_s, tool_cpu_s=config.tool_cpu_s or None, money=money)


def _prices(config: Config) -> Prices:
    """What is paid for this core. Raises ConfigError for a budget of money where nothing costs any."""
    said = config.prices
    prices = (
        Prices(said.prefilled, said.cached, said.decoded, said.second)
        if config.core.url
        else Prices(second=said.second)
    )
    if config.budget.money and prices.free:
        which = "prices.prefilled and prices.decoded" if config.core.url else "prices.second"
        raise ConfigError(
            f"a budget of {config.budget.money:g} in money is never spent where nothing costs any: set {which}"
        )
    return prices


def _limits(config: LimitsConfig) -> Limits:
    return Limits(
        wall_s=config.wall_s,
        cpu_s=config.cpu_s,
        memory=config.memory_mb * 2**20,
        disk=config.disk_mb * 2**20,
        processes=config.processes,
    )


class _Abandoned(Exception):
    """Nobody waits for this thread any more."""


class _Abandonable:
    """Passes progress on until the wait is given up; then a thread that reports ends at its next report."""

    def __init__(self, to: Progress) -> None:
        self.abandoned = threading.Event()
        self._to = to

    def begin(self, label: str, total: int) -> None:
        self._check()
        self._to.begin(label, total)

    def advance(self, count: int) -> None:
        self._check()
        self._to.advance(count)

    def tell(self, line: str) -> None:
        self._check()
        self._to.tell(line)

    def _check(self) -> None:
        if self.abandoned.is_set():
            raise _Abandoned

"""What can be set, in one place: dataclasses with their defaults, a TOML file, the environment, then flags.

A later source wins. An unknown key is an error that names the nearest known one; a value of the wrong kind or below its
bound is an error that names the key. Variables are `REASONER_<SECTION>_<KEY>`, as in `REASONER_SEARCH_ATTEMPTS=8`.
"""

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from reasoner.errors import ConfigError
from reasoner.types import Json

PREFIX = "REASONER_"
Names = tuple[str, ...]
T = TypeVar("T")
_KINDS = {int: "a whole number", float: "a number", str: "text", Names: "a list of texts"}


def _at_least(least: float, default: Any) -> Any:
    return field(default=default, metadata={"least": least})


@dataclass(frozen=True)
class CoreConfig:
    """Which model, where it runs."""

    model: str = ""
    """A name of `reasoner models list`, a Hugging Face model directory, or the model's name on a server; empty takes
    the default model, or the first that the server lists."""
    adapter: str = ""
    """What was trained of the local model: a name of `reasoner.models.adapters`, a path with a slash, or `base` for
    none; empty takes the one that is named like the model, if there is one."""
    url: str = ""
    """An OpenAI-compatible server, or several of one model with commas between them; empty for the local core."""
    tokenizer: str = ""
    """A Hugging Face directory with the server's tokenizer, to speak token ids to it."""
    dtype: Literal["auto", "bfloat16", "float32", "int4"] = "auto"
    """`auto` is bfloat16 where the device multiplies it, else float32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = _at_least(0, 0)
    """0 takes what torch finds."""


@dataclass(frozen=True)
class SandboxConfig:
    kind: Literal["auto", "docker", "bubblewrap"] = "auto"
    python: str = ""
    """A virtual environment whose packages are bound read-only into the world."""


@dataclass(frozen=True)
class SearchConfig:
    strategy: str = "auto"
    """A name of `reasoner.search.names`; `auto` chooses by the kind of task."""
    attempts: int = _at_least(1, 16)
    """Attempts at most."""
    width: int = _at_least(1, 8)
    """Attempts that grow at once, at most; where many tasks share a core, fewer."""
    temperature: float = _at_least(0, 0.7)
    max_tokens: int = _at_least(1, 768)
    """Tokens that one attempt may write."""
    think: bool = False
    """Plan in prose before the code."""
    terse: bool = True
    """Write most of the code without comments and docstrings (`rewind`, `adaptive`): half the tokens, as often right
    (benchmarks/search.md)."""
    lessons: bool = False
    """Say why the first attempt failed, and take that along in some of the later ones (`rewind`)."""
    seed: int = 0
    guide: str = ""
    """The source whose scores guide steps and weigh votes; empty takes the visible tests for code and the core's own
    likelihood for a question, and counts votes."""
    beam_width: int = _at_least(1, 4)
    """Steps from each beam that is kept (Snell et al., 2408.03314, section 5.2: M)."""


@dataclass(frozen=True)
class SpeechConfig:
    """Of a core that owns the protocol, by an adapter or its own training."""

    grammar: bool = True
    """Sample only what may stand in its place: no control token inside a step but one that may come next."""
    failed: Literal["", "reflect", "backtrack", "learn", "act", "end"] = "end"
    """What happens whenever tests have failed: the core is made to say what went wrong, to go back, or to write once
    more; it is taken back with what the tests said as the lesson (`learn`), which no token is spent on saying; or its
    attempt is over and the next one begins anew. Empty leaves it to the core."""
    least_thought: int = _at_least(0, 0)
    """Tokens of thought without which an answer is put off, and thinking goes on."""
    collapse: float = field(default=0.0, metadata={"least": 0, "below": 1})
    """Have it go back where a step's score lies this far below the best one before it, unless failed tests end the
    attempt; 0 leaves that to the core."""


@dataclass(frozen=True)
class Effort:
    """How much to spend on a task, in one word."""

    attempts: int
    tokens: int
    confidence: float


EFFORTS = {
    "low": Effort(4, 4_000, 0.8),
    "medium": Effort(16, 16_000, 0.95),
    "high": Effort(64, 64_000, 0.99),
    "max": Effort(256, 256_000, 0.999),
}
"""A thousand tokens for each attempt; the confidence ends a vote early."""


@dataclass(frozen=True)
class BudgetConfig:
    """0 leaves a dimension free."""

    effort: Literal["", "low", "medium", "high", "max"] = ""
    """Sets `search.attempts`, `tokens` and `confidence` together."""
    confidence: float = field(default=0.0, metadata={"least": 0, "below": 1})
    """Stop when the answer is this sure: by the calibration where there is one, else by the votes. 0 goes on until the
    tests pass or the budget is spent."""
    stop: str = ""
    """What ends a search besides: a policy of `reasoner.stopping.spelt`, such as `gain:2000` or `agrees:5`."""
    tokens: int = _at_least(0, 0)
    wall_s: float = _at_least(0, 0.0)
    tool_cpu_s: float = _at_least(0, 0.0)
    money: float = _at_least(0, 0.0)
    """In the currency of the prices."""


@dataclass(frozen=True)
class PricesConfig:
    """What is paid, in a currency of yours. Tokens are paid to a server alone."""

    prefilled: float = _at_least(0, 0.0)
    cached: float = _at_least(0, 0.0)
    decoded: float = _at_least(0, 0.0)
    """Per million tokens."""
    second: float = _at_least(0, 0.0)
    """Per second of this machine."""


@dataclass(frozen=True)
class LimitsConfig:
    """Bounds of one run of the tests. Seconds and MiB."""

    wall_s: float = _at_least(1, 20.0)
    cpu_s: float = _at_least(1, 20.0)
    memory_mb: int = _at_least(64, 512)
    disk_mb: int = _at_least(1, 64)
    processes: int = _at_least(8, 64)


@dataclass(frozen=True)
class FetchConfig:
    """Which pages the tool `fetch` may read. Without allowed hosts, and nobody to ask, there is no such tool."""

    allow: Names = ()
    """Hosts: docs.python.org, or *.python.org for all below it. In a variable with commas between them."""
    ask: bool = False
    """Ask about any other host, where there is somebody to ask: in a chat."""
    cache: str = ""
    """Folder for pages; empty takes `pages/` in the store."""
    refresh: bool = False
    """Read pages again that were read in an earlier run."""
    size_mb: int = _at_least(1, 4)
    """MiB of a page; never more than a third of what a world may write."""
    wall_s: float = _at_least(1, 20.0)
    """Seconds that one page may take, with its redirects."""


@dataclass(frozen=True)
class Config:
    core: CoreConfig = field(default_factory=CoreConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    fetch: FetchConfig = field(default_factory=FetchConfig)
    tools: Names = ()
    """Folders with tools of the user's own."""
    traces: str = ""
    """Folder for traces; empty takes `runs/` in the store."""
    prices: PricesConfig = field(default_factory=PricesConfig)
    verifiers: Names = ()
    """What judges besides the tests and the votes: names of `reasoner.verifiers.purposes`."""
    calibration: str = ""
    """A file that says what this core's scores are worth (`reasoner.verifiers.calibrate`)."""
    speech: SpeechConfig = field(default_factory=SpeechConfig)

    def at(self, effort: str) -> "Config":
        """These settings with what an effort sets.

        Raises:
            ConfigError: there is no such effort.
        """
        if effort not in EFFORTS:
            raise ConfigError(f"there is no effort {effort!r}: choose one of {', '.join(EFFORTS)}")
        meant = EFFORTS[effort]
        budget = replace(self.budget, effort=effort, tokens=meant.tokens, confidence=meant.confidence)  # type: ignore[arg-type]
        return replace(self, search=replace(self.search, attempts=meant.attempts), budget=budget)

    def settled(self) -> "Config":
        """These settings, with what their effort sets where nothing of it is set yet."""
        untouched = self.search.attempts == SearchConfig.attempts and not (self.budget.tokens or self.budget.confidence)
        return self.at(self.budget.effort) if self.budget.effort and untouched else self

    def resolved(self) -> Json:
        """Everything, as it goes into a trace."""
        return asdict(self)


def load(files: tuple[Path, ...], environment: Mapping[str, str], flags: Json) -> Config:
    """Merge `files` (those that exist, in order), `environment` and `flags` (nested as the dataclasses are).

    Raises:
        ConfigError: a file cannot be read, a key is unknown, a value is of the wrong kind.
    """
    config = Config()
    for path in files:
        if path.is_file():
            config = _take(config, _read(path), str(path))
    config = _take(config, _from_environment(environment), "the environment")
    return _take(config, flags, "the command line")


def recorded(values: Json) -> Config:
    """The configuration that a trace keeps.

    Raises:
        ConfigError: it holds what this version does not know.
    """
    return _merge(Config(), values, "the trace")


def _read(path: Path) -> Json:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> Json:
    """`REASONER_SEARCH_WIDTH=4` -> {"search": {"width": "4"}}; variables of no section are somebody else's."""
    found: dict[str, Any] = {}
    for section in fields(Config):
        start = f"{PREFIX}{section.name.upper()}"
        if is_dataclass(section.type):
            found[section.name] = {
                name[len(start) + 1 :].lower(): value
                for name, value in environment.items()
                if name.startswith(start + "_")
            }
        elif start in environment:
            found[section.name] = environment[start]
    return {key: value for key, value in found.items() if value}


def _take(config: Config, values: Json, where: str) -> Config:
    """Merge one source. An effort sets three keys, of which a later source may set one anew, the same one not."""
    merged = _merge(config, values, where)
    exact = [
        f"{section}.{key}"
        for section, key in (("search", "attempts"), ("budget", "tokens"), ("budget", "confidence"))
        if key in values.get(section, {})
    ]
    if not values.get("budget", {}).get("effort"):
        return replace(merged, budget=replace(merged.budget, effort="")) if exact else merged
    if exact:
        raise ConfigError(f"{where} sets budget.effort and {exact[0]}, which an effort sets itself: give one of them")
    return merged.at(merged.budget.effort)


def _merge(config: T, values: Json, where: str, path: str = "") -> T:
    hints = get_type_hints(type(config))
    known = {f.name: f for f in fields(config)}  # type: ignore[arg-type]
    changes: dict[str, Any] = {}
    for key, value in values.items():
        full = f"{path}{key}"
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {path}{near[0]}?" if near else f"known here: {', '.join(known)}"
            raise ConfigError(f"{where} sets {full}, which does not exist: {hint}")
        current = getattr(config, key)
        if is_dataclass(current):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{where} sets {full} to {value!r}, but it is a section")
            changes[key] = _merge(current, value, where, f"{full}.")
        else:
            what = f"{where} sets {full} to {value!r}"
            changes[key] = _bounded(_value(value, hints[key], what), known[key].metadata, what)
    return replace(config, **changes)  # type: ignore[type-var]


def _value(value: Any, kind: Any, what: str) -> Any:
    """`value` as what the key holds. Text stands for any kind, since the environment knows nothing else."""
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(f"{what}: choose one of {', '.join(get_args(kind))}")
        return value
    if kind == Names:
        return _names(value, what)
    if kind is bool:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        found = value if isinstance(value, bool) else words.get(str(value).lower())
        if found is None:
            raise ConfigError(f"{what}: say true or false")
        return found
    fits = isinstance(value, str) or (kind is not str and type(value) in (int, kind))
    try:
        return kind(value) if fits else _misfit(kind, what)
    except ValueError:
        return _misfit(kind, what)


def _names(value: Any, what: str) -> Names:
    """A list, or in a variable a text with commas."""
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(name, str) for name in found):
        return _misfit(Names, what)
    return tuple(name.strip() for name in found if name.strip())


def _misfit(kind: Any, what: str) -> NoReturn:
    raise ConfigError(f"{what}: it must be {_KINDS[kind]}")


def _bounded(value: Any, bounds: Mapping[str, Any], what: str) -> Any:
    least, below = bounds.get("least"), bounds.get("below", math.inf)
    if least is not None and not least <= value < below:
        most = "" if below == math.inf else f" and below {below}"
        raise ConfigError(f"{what}: it must be at least {least}{most}")
    return value

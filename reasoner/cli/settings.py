"""From files, environment and flags to one Config."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reasoner.config import Config, load
from reasoner.errors import ConfigError
from reasoner.models.adapters import BASE

_FLAGS = {
    "core": {"model": "model", "adapter": "core", "url": "url", "tokenizer": "tokenizer"},
    "search": {
        "strategy": "strategy",
        "attempts": "attempts",
        "width": "width",
        "temperature": "temperature",
        "think": "think",
        "terse": "terse",
        "lessons": "lessons",
        "seed": "seed",
        "guide": "guide",
    },
    "budget": {
        "effort": "effort",
        "confidence": "confidence",
        "stop": "stop",
        "tokens": "tokens",
        "wall_s": "time",
        "money": "budget_money",
    },
    "sandbox": {"kind": "sandbox", "python": "python"},
    "fetch": {"allow": "allow_host", "ask": "fetch"},
}
"""Section of the Config -> its key -> the flag that sets it."""


def settings(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Config:
    """The user's own file ($XDG_CONFIG_HOME/reasoner/config.toml), then --config, the environment, and flags.

    Raises:
        ConfigError: one of them cannot be read, or says something that cannot be.
    """
    if arguments.config and not arguments.config.is_file():
        raise ConfigError(f"--config {arguments.config} is no file: give the path of a TOML file")
    own = _own(environment)
    files = (own, arguments.config) if arguments.config else (own,)
    return load(files, environment, _flags(arguments, environment))


def talking(config: Config) -> Config:
    """Without an adapter unless one is asked for: a core that was taught functions and word problems has learnt to act
    and not to talk, and takes any question for such a problem."""
    return replace(config, core=replace(config.core, adapter=config.core.adapter or BASE))


def own_settings(environment: Mapping[str, str]) -> Config:
    """The user's own file and the environment alone. Raises ConfigError."""
    return load((_own(environment),), environment, {})


def _own(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "reasoner" / "config.toml"


def _flags(arguments: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for section, keys in _FLAGS.items():
        said = {key: getattr(arguments, flag, None) for key, flag in keys.items()}
        values = {key: value for key, value in said.items() if value is not None}
        if values:
            given[section] = values
    for key in ("traces", "tools", "verifiers", "calibration"):
        if getattr(arguments, key, None) is not None:
            given[key] = getattr(arguments, key)
    if arguments.remote and not arguments.url:
        given.setdefault("core", {})["url"] = _server(environment)
    return given


def _server(environment: Mapping[str, str]) -> str:
    url = environment.get("OPENAI_BASE_URL", "")
    if not url:
        raise ConfigError("--remote asks the server at $OPENAI_BASE_URL, which is not set: set it, or give --url")
    return url

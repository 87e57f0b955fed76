"""A runtime for small models that think: search over a model and a sandbox that can both take a step back.

    from reasoner import Reasoner, Task

    with Reasoner() as solver:
        result = solver.solve(Task("spiders", "How many legs have 6 spiders?"))
    print(result.answer)

`async with` and `await` do the same without blocking.

Public are the names of `__all__`. Each is imported when it is first asked for, so `import reasoner` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reasoner.assembly import assemble
    from reasoner.completions import Sampling
    from reasoner.config import Config
    from reasoner.cores.local import LocalCore
    from reasoner.cores.remote import RemoteCore
    from reasoner.cores.scripted import ScriptedCore
    from reasoner.errors import (
        ConfigError,
        CoreError,
        ModelError,
        ReasonerError,
        SandboxError,
        TaskError,
        ToolError,
        TraceError,
    )
    from reasoner.ledger import Budget, Cost, Ledger, Prices
    from reasoner.library import Reasoner, Solver
    from reasoner.protocols import Core, Sandbox, Scene, StopPolicy, Strategy, Verifier, World
    from reasoner.sandboxes import open_sandbox
    from reasoner.sandboxes.scripted import ScriptedSandbox
    from reasoner.tasks import load as load_task
    from reasoner.trace import Recorder
    from reasoner.trace import read as read_trace
    from reasoner.tree import Node, Tree
    from reasoner.types import Expand, Limits, Report, Result, Stop, Suite, Task, TestResult, Tool, Verdict

__all__ = [
    "Budget",
    "Config",
    "ConfigError",
    "Core",
    "CoreError",
    "Cost",
    "Expand",
    "Ledger",
    "Limits",
    "LocalCore",
    "ModelError",
    "Node",
    "Prices",
    "Reasoner",
    "ReasonerError",
    "Recorder",
    "RemoteCore",
    "Report",
    "Result",
    "Sampling",
    "Sandbox",
    "SandboxError",
    "Scene",
    "ScriptedCore",
    "ScriptedSandbox",
    "Solver",
    "Stop",
    "StopPolicy",
    "Strategy",
    "Suite",
    "Task",
    "TaskError",
    "TestResult",
    "Tool",
    "ToolError",
    "TraceError",
    "Tree",
    "Verdict",
    "Verifier",
    "World",
    "assemble",
    "load_task",
    "open_sandbox",
    "read_trace",
]

_HOMES = {
    "assembly": ("assemble",),
    "config": ("Config",),
    "cores.local": ("LocalCore",),
    "cores.remote": ("RemoteCore",),
    "cores.scripted": ("ScriptedCore",),
    "errors": tuple(name for name in __all__ if name.endswith("Error")),
    "ledger": ("Budget", "Cost", "Ledger", "Prices"),
    "protocols": ("Core", "Sandbox", "Scene", "StopPolicy", "Strategy", "Verifier", "World"),
    "library": ("Reasoner", "Solver"),
    "sandboxes": ("open_sandbox",),
    "sandboxes.scripted": ("ScriptedSandbox",),
    "tasks": ("load_task",),
    "trace": ("Recorder", "read_trace"),
    "tree": ("Node", "Tree"),
    "types": (
        "Expand",
        "Limits",
        "Report",
        "Result",
        "Sampling",
        "Stop",
        "Suite",
        "Task",
        "TestResult",
        "Tool",
        "Verdict",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_THERE = {"load_task": "load", "read_trace": "read"}
"""Public names that their modules call otherwise."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'reasoner' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"reasoner.{_HOME[name]}"), _THERE.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

"""The architecture, enforced: imports go downward, siblings stay apart, and importing is instant."""

import ast
import subprocess
import sys
from pathlib import Path

import reasoner

LAYERS = [
    {"completions"},
    {"types", "errors"},
    {"content"},
    {"config", "tree", "ledger", "dialect", "models", "suites", "tasks", "estimates"},
    {"protocols"},
    {"trace", "cores", "sandboxes", "broker", "figures"},
    {"toolbox", "telemetry"},
    {"loop", "verifiers", "search", "stopping"},
    {"runtime"},
    {"assembly"},
    {"batch", "conversation"},
    {"library"},
    {"flywheel", "replay", "report", "repl", "doctor"},
    {"cli"},
]
ALLOWED = {("tree", "ledger")}
"""Nodes carry costs: the tree is made of the ledger's records."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ROOT = Path(reasoner.__file__).parent


def imports(path: Path) -> set[str]:
    """First parts below `reasoner` of everything a file imports, whether at the top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "reasoner":
            parts = node.module.split(".")[1:]
            found |= {parts[0]} if parts else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("reasoner.")}
    return found


def owner(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_module_has_a_layer() -> None:
    modules = {owner(p) for p in ROOT.rglob("*.py")} - {"__init__", "__main__", "_content"}
    assert modules <= set(LEVEL), f"give {sorted(modules - set(LEVEL))} a place in LAYERS"


def test_imports_go_downward_only() -> None:
    wrong = []
    for path in ROOT.rglob("*.py"):
        own = owner(path)
        if own in ("__init__", "__main__"):
            continue
        seen = [other for other in imports(path) & set(LEVEL) if other != own and (own, other) not in ALLOWED]
        wrong += [f"{path.relative_to(ROOT)} imports {other}" for other in seen if LEVEL[other] >= LEVEL[own]]
    assert not wrong


def test_pure_layers_see_no_core_and_no_sandbox() -> None:
    for package in ("search", "stopping"):
        files = [ROOT / f"{package}.py", *(ROOT / package).glob("*.py")]
        seen = set().union(*(imports(p) for p in files if p.is_file()))
        assert not seen & {"cores", "sandboxes", "models", "toolbox", "runtime", "loop"}


def test_importing_brings_no_heavy_library() -> None:
    code = "import reasoner, reasoner.cli, sys; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "docker", "httpx", "rich", "numpy", "jinja2", "pytest"} & set(loaded)

"""A process of its own in which mathematical answers are read: JSON lines in, JSON lines out. The host runs it.

    {"answer": "\\frac{2}{4}"}                      -> {"form": "1/2"}     null where it is no mathematics
    {"answer": "2\\sqrt{2}", "reference": "\\sqrt{8}"} -> {"same": true}

Answers are hostile, and sympy turns text into numbers with Python's `eval`. Covered: only the LaTeX grammar of
math-verify reads an answer, which is a parser (its plain grammar hands text on to sympy and is not used); what still
reaches `eval` must be numbers and nothing else, or an audit hook refuses it; the same hook refuses to start processes,
to open sockets and to write files. Memory is bounded here; time is bounded by whoever started this, with a kill. Not
covered: a fault in CPython itself.
"""

import json
import os
import re
import resource
import sys
from typing import Any

import sympy
from math_verify import LatexExtractionConfig, parse, verify

MEMORY = 2 * 2**30
LONGEST = 300
DIGITS = 12
REFUSED = ("os.", "socket.", "subprocess.", "shutil.", "ctypes.", "pty.", "webbrowser.", "urllib.", "ftplib.", "mmap.")
ALLOWED = ("os.listdir", "os.scandir")
NUMBERS = re.compile(r"from sympy import \*|(?:Integer|Float|Rational|[\d\s().,'+*/-])*")
"""All that may be compiled besides modules of the installation."""
WARM = (
    r"\frac{1}{2}",
    r"x^2 + 1",
    r"\{1, 2\}",
    r"(1, 2]",
    r"\begin{pmatrix} 1 & 2 \end{pmatrix}",
    r"x = \sqrt{2}",
    "5\\%",
)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for text in WARM:
        form(text)
    verify(parsed("1"), parsed("2"), timeout_seconds=None)
    sys.addaudithook(refuse)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def answer(asked: dict[str, str]) -> dict[str, Any]:
    try:
        if "reference" in asked:
            gold, said = parsed(asked["reference"]), parsed(asked["answer"])
            return {"same": bool(gold and said and verify(gold, said, timeout_seconds=None))}
        return {"form": form(asked["answer"])}
    except Exception:  # noqa: BLE001 - whatever a library makes of hostile text, it is no mathematics
        return {"same": False, "form": None}


def parsed(text: str) -> list[Any]:
    if len(text) > LONGEST:
        return []
    inside = text.replace("$", " ").strip()
    return list(parse(f"${inside}$", [LatexExtractionConfig()], parsing_timeout=None))


def form(text: str) -> str | None:
    """One spelling for all that are the same; None for text."""
    found = next((one for one in parsed(text) if isinstance(one, sympy.Basic)), None)
    if found is None:
        return None
    if isinstance(found, sympy.Eq) and found.lhs.is_Symbol:
        found = found.rhs
    return spelt(sympy.simplify(found.doit()))


def spelt(value: Any) -> str:
    if isinstance(value, sympy.FiniteSet | sympy.Tuple):
        parts = [spelt(part) for part in value.args]
        ordered = sorted(parts) if isinstance(value, sympy.FiniteSet) else parts
        return f"{type(value).__name__}({', '.join(ordered)})"
    if getattr(value, "is_Rational", False):
        return str(value)
    if getattr(value, "is_number", False):
        return str(sympy.N(value, DIGITS))
    return str(sympy.expand(value) if isinstance(value, sympy.Expr) else value)


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Raises for whatever reading an answer has no need of."""
    if event == "compile":
        source, name = arguments
        text = source.decode("utf-8", "replace") if isinstance(source, bytes) else str(source)
        if not str(name).startswith(HOMES) and not NUMBERS.fullmatch(text):
            raise PermissionError(f"compiling {text[:80]!r}")
    elif event == "open":
        mode, flags = arguments[1], arguments[2]
        if (mode and set(str(mode)) & set("wax+")) or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise PermissionError("writing")
    elif event.startswith(REFUSED) and event not in ALLOWED:
        raise PermissionError(event)


HOMES = tuple({os.path.join(p, "") for p in (sys.prefix, sys.base_prefix, *sys.path) if p})

if __name__ == "__main__":
    main()

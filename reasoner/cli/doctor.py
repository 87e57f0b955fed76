"""`reasoner doctor`: what this machine can do, and what to do next."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from reasoner.cli.exits import INFRASTRUCTURE, SOLVED
from reasoner.doctor import Finding, advice, examine
from reasoner.repl.printable import printable

_MARKS = {"good": ("✓", "green"), "poor": ("–", "yellow"), "missing": ("✗", "red")}


def run(arguments: argparse.Namespace) -> int:
    if not arguments.json:
        print("looking at this machine (a few seconds)", file=sys.stderr)
    findings = asyncio.run(examine())
    if arguments.json:
        print(json.dumps({"findings": [asdict(f) for f in findings], "next": advice(findings)}))
    else:
        _show(findings)
    return INFRASTRUCTURE if any(f.grade == "missing" for f in findings) else SOLVED


def _show(findings: list[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    for finding in findings:
        mark, style = _MARKS[finding.grade]
        console.print(Text.assemble((mark, style), f" {finding.name:<8} {printable(finding.said)}"))
    console.print("\nnext:")
    for line in advice(findings):
        console.print(Text(f"  {printable(line)}"))

"""Runs the shipped programs as a world does: a file of their bytes, isolated, in the candidate's directory."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reasoner.content import content_dir, load_tool
from reasoner.suites import report, suite_arguments
from reasoner.types import Report, Suite, ToolResult


@dataclass(frozen=True)
class Ran:
    """What a program said, and with which exit code."""

    stdout: str
    code: int
    report: Report

    @property
    def outcomes(self) -> list[str]:
        return [test.outcome for test in self.report.tests]

    @property
    def messages(self) -> list[str]:
        return [test.message for test in self.report.tests]


RunSuite = Callable[..., Ran]


@pytest.fixture
def run_suite(tmp_path: Path) -> RunSuite:
    """`run_suite(files, suite)` grades files by running the program of `tools/run_tests`."""
    workspace = tmp_path / "workspace"
    program = tmp_path / "run.py"
    program.write_bytes(load_tool(content_dir("tools") / "run_tests").program)

    def run(
        files: dict[str, str | bytes],
        suite: Suite,
        *,
        test_s: float = 5,
        total_s: float = 20,
        before: tuple[str, ...] = (),
        first: tuple[str, ...] = (),
    ) -> Ran:
        for path, content in files.items():
            target = workspace / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        arguments = {**suite_arguments(suite), "first": [*first], "limits": {"test_s": test_s, "total_s": total_s}}
        done = subprocess.run(
            [*before, sys.executable, "-I", str(program)],
            input=json.dumps(arguments),
            capture_output=True,
            text=True,
            cwd=workspace,
            timeout=60,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
        assert done.stderr == ""
        return Ran(done.stdout, done.returncode, report(_result(done.stdout), graded=suite.runner))

    workspace.mkdir()
    return run


def _result(stdout: str) -> ToolResult:
    try:
        value: Any = json.loads(stdout)
    except ValueError:
        return ToolResult(stdout, error="protocol")
    return ToolResult(value=value)


@pytest.fixture
def unprivileged() -> tuple[str, ...]:
    """What to put before a command so that it may not read processes that forbid it, as in a world."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root reads every process, and there is no setpriv to give that up")
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")

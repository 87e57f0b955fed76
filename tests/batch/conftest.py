"""A run on the scripted core: questions whose answers depend on the question and the seed alone."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from reasoner.batch import Folder, Job
from reasoner.completions import Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Single
from reasoner.types import Task

SETTINGS = {"version": "1", "config": {"search": {"attempts": 4, "seed": 0}}, "problems": {"sha256": "aa"}}


def reply(text: str, sampling: Sampling) -> Reply:
    """Right or wrong, as the question and the seed say."""
    number = int(hashlib.sha256(f"{text}{sampling.seed}".encode()).hexdigest()[:8], 16)
    return Reply(f"Let me see.\nAnswer: {number % 3}", seconds=1.0 + number % 5)


def questions(count: int) -> list[Task]:
    return [Task(f"q/{n}", f"What is {n} modulo 3?", answer=str(n % 3)) for n in range(count)]


@pytest.fixture
def jobs() -> Callable[..., list[Job]]:
    def make(count: int, epochs: int = 1) -> list[Job]:
        return [Job(task, epoch) for epoch in range(epochs) for task in questions(count)]

    return make


@pytest.fixture
def reasoner() -> Callable[..., Reasoner]:
    def make(script: object = reply, **options: object) -> Reasoner:
        core = ScriptedCore(script)  # type: ignore[arg-type]
        return Reasoner(core, ScriptedSandbox(), Single(), clock=core.clock, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Folder]:
    def make(force_new: bool = False, **changes: object) -> Folder:
        return Folder(tmp_path / "out", {**SETTINGS, **changes}, force_new=force_new)

    return make

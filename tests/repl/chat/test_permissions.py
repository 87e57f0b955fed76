"""What a person lets out of the sandbox, and for how long."""

import asyncio
from pathlib import Path

import pytest

from reasoner.errors import TraceError
from reasoner.repl.chat.permissions import Permissions


def answering(kept: Path, *answers: str) -> tuple[Permissions, list[str]]:
    asked: list[str] = []
    left = list(answers)

    async def ask(question: str) -> str:
        asked.append(question)
        await asyncio.sleep(0)
        return left.pop(0)

    return Permissions(kept, ask), asked


@pytest.mark.parametrize(
    ("answer", "now", "again"), [("y", True, 2), ("s", True, 1), ("", False, 2), ("what?", False, 2)]
)
async def test_a_host_is_asked_about_as_often_as_was_said(tmp_path: Path, answer: str, now: bool, again: int) -> None:
    permissions, asked = answering(tmp_path / "hosts", answer, "n")
    assert await permissions.host("a.org") is now
    await permissions.host("a.org")
    assert len(asked) == again and "a.org" in asked[0] and not (tmp_path / "hosts").exists()


async def test_always_outlives_the_process(tmp_path: Path) -> None:
    permissions, _ = answering(tmp_path / "store" / "hosts", "a")
    assert await permissions.host("a.org")
    later, asked = answering(tmp_path / "store" / "hosts", "n")
    assert await later.host("a.org") and not asked
    assert not await later.host("b.a.org"), "a host is that host alone"


async def test_branches_that_ask_together_ask_once(tmp_path: Path) -> None:
    permissions, asked = answering(tmp_path / "hosts", "s", "n")
    assert await asyncio.gather(permissions.host("a.org"), permissions.host("a.org")) == [True, True]
    assert len(asked) == 1


async def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    permissions, _ = answering(tmp_path / "file" / "hosts", "a")
    with pytest.raises(TraceError, match="answer s instead of a"):
        await permissions.host("a.org")

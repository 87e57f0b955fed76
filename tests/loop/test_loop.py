"""What the loop makes of verifiers that break."""

from collections.abc import Callable

import numpy as np
import pytest

from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.errors import CoreError
from reasoner.loop.loop import BROKEN
from reasoner.protocols import Scene, Verifier
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Single
from reasoner.trace import Added, Event
from reasoner.trace.events import decode, encode
from reasoner.tree import Node
from reasoner.types import Task, Verdict
from reasoner.verifiers.answers import Answers

TASK = Task("q", "What is 2 + 2?", answer="4")


class Says:
    """A verifier of the user's own."""

    def __init__(self, word: Callable[[], Verdict | None]) -> None:
        self._word = word

    async def judge(self, scene: Scene, node: Node) -> Verdict | None:
        return self._word()


def breaks() -> Verdict | None:
    raise KeyError("weights")


def fails() -> Verdict | None:
    raise CoreError("the engine is gone")


async def judged(*verifiers: Verifier) -> tuple[str, list[Verdict]]:
    events: list[Event] = []
    core = ScriptedCore([Reply("Answer: 4")])
    reasoner = Reasoner(core, ScriptedSandbox(), Single(), verifiers=verifiers, clock=core.clock)
    result = await reasoner.solve(TASK, events.append)
    return result.status, [v for e in events if isinstance(e, Added) for v in e.node.verdicts]


async def test_a_verifier_that_raises_loses_no_node() -> None:
    status, (broken, vote) = await judged(Says(breaks), Answers())
    assert status == "solved" and vote.key == "4"
    assert (broken.source, broken.detail, broken.key) == (BROKEN, "Says raised KeyError: 'weights'", "")


@pytest.mark.parametrize(
    "word",
    [
        0.7,
        Verdict(float("nan"), "mine"),
        Verdict(float("inf"), "mine"),
        Verdict(10**400, "mine"),
        Verdict(None, "mine"),  # type: ignore[arg-type]
        Verdict(0.5, None),  # type: ignore[arg-type]
        Verdict(0.5, "mine", None),  # type: ignore[arg-type]
        Verdict(0.5, "mine", object()),  # type: ignore[arg-type]
        Verdict(0.5, "mine", "", 5),  # type: ignore[arg-type]
        Verdict(0.5, "mine", "", ["x"]),  # type: ignore[arg-type]
    ],
)
async def test_what_is_no_verdict_is_said_to_be_none(word: object) -> None:
    status, (broken, _) = await judged(Says(lambda: word), Answers())  # type: ignore[arg-type, return-value]
    assert status == "solved" and broken.source == BROKEN and "no verdict" in broken.detail


class Text(str):
    pass


async def test_every_verdict_that_is_taken_can_be_written_and_read_back() -> None:
    said = Verdict(np.float32(0.5), Text("mine"), "half \ud800", Text("k"))  # type: ignore[arg-type]
    events: list[Event] = []
    core = ScriptedCore([Reply("Answer: 4")])
    reasoner = Reasoner(core, ScriptedSandbox(), Single(), verifiers=[Says(lambda: said)], clock=core.clock)
    await reasoner.solve(TASK, events.append)
    (added,) = [e for e in events if isinstance(e, Added) and e.node.verdicts]
    assert decode(encode(added, 0.0)).event == added
    assert added.node.verdicts == (Verdict(0.5, "mine", "half ?", "k"),)


async def test_surroundings_that_fail_end_the_search() -> None:
    with pytest.raises(CoreError, match="the engine is gone"):
        await judged(Says(fails))


async def test_a_verifier_may_have_nothing_to_say() -> None:
    assert (await judged(Says(lambda: None)))[1] == []

import math
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.completions import Sampling
from reasoner.ledger import Cost
from reasoner.protocols import Scene
from reasoner.tree import Node
from reasoner.types import Expand, Span, Step, Task
from reasoner.verifiers.certainty import Certainty, lowest

SceneOf = Callable[..., Awaitable[Scene]]
TASK = Task("t", "x", editable=("a.py",))


def wrote(kind: str, *logprobs: float) -> Step:
    return Step(kind, "", (Span((1,), sampled=False), Span((1,) * len(logprobs), sampled=True, logprobs=logprobs)))  # type: ignore[arg-type]


def node(*steps: Step, move: str = "attempt", parent: int = 0) -> Node:
    return Node(-1, parent, move, steps, "s0")  # type: ignore[arg-type]


async def test_the_score_is_the_geometric_mean_of_the_probabilities(scene_of: SceneOf) -> None:
    found = await Certainty().judge(await scene_of(TASK), node(wrote("think", -1.0), wrote("act", -2.0, -3.0)))
    assert found is not None and found.source == "certainty"
    assert found.score == pytest.approx(math.exp(-2.0))


async def test_a_weak_stretch_shows_in_the_lowest_window(scene_of: SceneOf) -> None:
    even, weak = [-0.5] * 20, [-0.1] * 9 + [-4.1, -4.1] + [-0.1] * 9
    scene = await scene_of(TASK)
    scores = [await Certainty(window=2).judge(scene, node(wrote("act", *logprobs))) for logprobs in (even, weak)]
    assert [round(math.log(v.score), 6) for v in scores if v] == [-0.5, -4.1]
    assert scores[1] is not None and scores[1].detail == "from token 9 of 20"


async def test_what_the_tests_or_a_critic_said_is_no_part_of_it(scene_of: SceneOf) -> None:
    found = await Certainty().judge(await scene_of(TASK), node(wrote("act", -1.0), wrote("observe", -9.0)))
    assert found is not None and found.score == pytest.approx(math.exp(-1.0))
    assert await Certainty().judge(await scene_of(TASK), node(wrote("reflect", -1.0))) is None


async def test_a_core_that_tells_no_probabilities_is_not_judged(scene_of: SceneOf) -> None:
    assert await Certainty().judge(await scene_of(TASK), node(wrote("act"))) is None


async def test_the_steps_that_led_to_an_answer_count_too(scene_of: SceneOf) -> None:
    scene = await scene_of(Task("q", "?"))
    head = scene.tree.opened(Expand(0, "continue", Sampling()))
    first = scene.tree.add(head, [wrote("think", -3.0)], "s0", [], Cost())
    found = await Certainty().judge(scene, node(wrote("answer", -1.0), move="continue", parent=first))
    assert found is not None and found.score == pytest.approx(math.exp(-2.0))
    revised = await Certainty().judge(scene, node(wrote("answer", -1.0), move="revise", parent=first))
    assert revised is not None and revised.score == pytest.approx(math.exp(-1.0)), "an earlier answer is no part of it"


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=60), st.integers(1, 70))
def test_no_window_is_lower_than_the_lowest(values: list[float], window: int) -> None:
    size = min(window, len(values))
    means = [math.fsum(values[at : at + size]) / size for at in range(len(values) - size + 1)]
    assert lowest(values, window)[1] == pytest.approx(min(means), abs=1e-9)

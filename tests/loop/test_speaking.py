"""A core that owns the protocol, on the scripted core: the runtime does what it says, and says what came of it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import pytest

from reasoner.completions import Sampling
from reasoner.config import SpeechConfig
from reasoner.cores.scripted import Reply, ScriptedCore, speech
from reasoner.loop.failures import lesson
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Beam, BestOfN, Rewind, Single, Steps
from reasoner.trace import Added, Event
from reasoner.tree import Node
from reasoner.types import Files, Json, Report, Result, Suite, Task, TestResult, ToolResult

QUESTION = Task("q", "How many legs have 6 spiders?", answer="48")
CODE = Task("c", "Add.", {"a.py": b""}, ("a.py",), Suite("asserts", asserts=("add(1, 2) == 3",), module="a"))


def world(name: str, arguments: Json, files: Files) -> ToolResult:
    """Prints a cell's own text; tests pass for code that has a plus."""
    if name == "python":
        return ToolResult(f"{arguments['code']}!\n", cpu_s=0.25)
    return ToolResult(value={"tests": [sums(files)], "error": ""})


def sums(files: Files) -> dict[str, str]:
    good = b"+" in files["a.py"]
    return {"name": "add", "outcome": "passed" if good else "failed", "message": "" if good else "add(1, 2) == 3"}


def graded(files: Files, suite: Suite) -> Report:
    said = sums(files)
    return Report((TestResult(said["name"], said["outcome"], said["message"]),))  # type: ignore[arg-type]


OWN = SpeechConfig(failed="")
"""What happens after tests have failed is left to the core."""


async def heard(
    turns: Sequence[Reply], task: Task = QUESTION, **options: object
) -> tuple[Result, list[Node], ScriptedCore]:
    events: list[Event] = []
    core = ScriptedCore(turns, speaks=True)
    strategy = options.pop("strategy", Single())
    sandbox = ScriptedSandbox(world, graded)
    options = {"speech": OWN, **options}
    reasoner = Reasoner(core, sandbox, strategy, clock=core.clock, **options)  # type: ignore[arg-type]
    result = await reasoner.solve(task, events.append)
    return result, [e.node for e in events if isinstance(e, Added)], core


def kinds(nodes: Sequence[Node]) -> list[list[str]]:
    return [[step.kind for step in node.steps] for node in nodes]


# --- what is done ---


async def test_a_cell_is_run_and_what_it_says_stands_behind_it() -> None:
    script = speech("<|think|>Eight each.<|act|>6 * 8<|end|>", "<|answer|>48<|end|>")
    result, nodes, core = await heard(script)
    assert (result.status, result.answer, result.spent["tool_cpu_s"]) == ("solved", "48", 0.25)
    assert kinds(nodes) == [["task"], ["think", "act", "observe"], ["answer"]]
    assert [(node.move, node.parent) for node in nodes] == [(None, None), ("attempt", 0), ("follow", 1)]
    assert core.asked[-1].text.endswith(
        "<|assistant|><|think|>Eight each.<|act|>6 * 8<|end|><|observe|>step 1\n6 * 8!<|end|><|answer|>"
    )


async def test_what_is_forced_is_not_trained_on_and_the_rest_is() -> None:
    _, nodes, core = await heard(speech("<|act|>6<|end|>", "<|answer|>48<|end|>"))
    spans = [(span.sampled, core.tokenizer.decode(span.ids)) for s in nodes[1].steps for span in s.spans]
    assert spans == [(True, ""), (True, "6"), (False, "step 1\n6!")]
    assert [span.sampled for span in nodes[2].steps[0].spans] == [True, True, False]


async def test_code_is_tested_and_a_pass_is_the_answer() -> None:
    script = speech("<|act|>x<|end|>", "<|reflect|>No sum.<|act|>a + b<|end|>")
    result, nodes, core = await heard(script, CODE)
    assert result.status == "solved" and result.files == {"a.py": b"a + b\n"}
    assert kinds(nodes[1:]) == [["act", "observe"], ["reflect", "act", "observe", "answer"]]
    assert "<|observe|>step 1\nI ran the tests: 0 of 1 passed.\nadd: add(1, 2) == 3<|end|><|reflect|>" in (
        core.asked[-1].text
    )
    assert [v.score for node in nodes for v in node.verdicts] == [0.0, 1.0]


async def test_code_without_tests_is_the_answer_at_once() -> None:
    result, nodes, _ = await heard(speech("<|act|>x<|end|>"), Task("c", "Add.", {"a.py": b""}, ("a.py",)))
    assert kinds(nodes[1:]) == [["act", "answer"]] and result.files == {"a.py": b"x\n"}


# --- going back ---

BACK = speech("<|act|>1<|end|>", "<|act|>2<|end|>", "<|reflect|>Oh.<|backtrack|>1 the sum is off<|end|>")


async def test_a_backtrack_takes_tokens_and_world_back_and_keeps_one_line() -> None:
    result, nodes, core = await heard([*BACK, *speech("<|act|>3<|end|>", "<|answer|>48<|end|>")])
    assert result.status == "solved"
    assert kinds(nodes[3:]) == [["reflect", "backtrack"], ["reflect", "act", "observe"], ["answer"]]
    assert [(node.parent, node.learnt) for node in nodes[1:]] == [(0, None), (1, None), (2, None), (1, 3), (4, None)]
    assert core.asked[-1].text.endswith(
        "<|act|>1<|end|><|observe|>step 1\n1!<|end|><|reflect|>the sum is off"
        "<|act|>3<|end|><|observe|>step 2\n3!<|end|><|answer|>"
    )
    lesson, act, _ = nodes[4].steps
    assert [span.sampled for span in lesson.spans] == [False] and act.spans[0].sampled
    assert result.spent["decoded"] == sum(node.cost.decoded for node in nodes), "the dead branch is charged"


async def test_files_go_back_with_the_tokens() -> None:
    turns = ["<|act|>first<|end|>", "<|act|>second<|end|>", "<|backtrack|>1 no<|end|>", "<|answer|><|end|>"]
    result, nodes, _ = await heard(speech(*turns), CODE)
    assert nodes[-1].parent == 1 and result.status == "unsolved"
    assert result.files == {"a.py": b"first\n"}


async def test_back_to_the_task_is_a_fresh_start_with_a_lesson() -> None:
    script = speech("<|act|>1<|end|>", "<|backtrack|>0 think first<|end|>", "<|answer|>48<|end|>")
    _, nodes, core = await heard(script)
    assert nodes[-1].parent == 0 and core.asked[-1].text.endswith("<|assistant|><|reflect|>think first<|answer|>")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("7 no", "There is no step 7 to go back to."),
        ("1 no", "Step 1 is the last one: there is nothing to take back."),
        ("back", "This could not be read: backtrack says no number of a step."),
    ],
)
async def test_a_backtrack_that_cannot_be_is_refused_with_the_reason(said: str, why: str) -> None:
    turns = speech("<|act|>1<|end|>", f"<|backtrack|>{said}<|end|>", "<|answer|>48<|end|>")
    result, nodes, core = await heard(turns)
    assert kinds(nodes[2:]) == [["malformed", "observe"], ["answer"]] and result.status == "solved"
    assert core.asked[-1].text.endswith(f"<|end|><|observe|>step 2\n{why}<|end|><|answer|>")


AGAIN = speech("<|act|>1<|end|>", "<|backtrack|>0 Mind  it<|end|>", "<|act|>2<|end|>", "<|backtrack|>0 mind it<|end|>")


async def test_the_same_target_with_the_same_lesson_ends_the_attempt() -> None:
    result, nodes, _ = await heard([*AGAIN, *speech("48<|end|>")])
    assert kinds(nodes[4:]) == [["malformed", "answer"]] and result.status == "solved"
    another = speech("<|act|>a + b<|end|>")
    result, nodes, _ = await heard([*AGAIN, *another], CODE, strategy=BestOfN(9), width=1)
    assert kinds(nodes[4:]) == [["malformed"], ["act", "observe", "answer"]]
    assert nodes[5].parent == 0 and result.status == "solved", "the strategy begins anew with what is left"


async def test_another_lesson_is_no_loop() -> None:
    turns = [*AGAIN[:-2], *speech("<|backtrack|>0 mind the sign<|end|>", "<|answer|>48<|end|>")]
    _, nodes, _ = await heard(turns)
    assert kinds(nodes[4:]) == [["backtrack"], ["reflect", "answer"]]
    assert (nodes[5].parent, nodes[5].learnt) == (0, 4)


async def test_attempts_go_back_each_for_itself() -> None:
    turns = speech(*["<|act|>1<|end|>", "<|backtrack|>0 mind it<|end|>", "<|answer|>48<|end|>"] * 2)
    _, nodes, _ = await heard(turns, strategy=BestOfN(2), width=1)
    assert [node.learnt for node in nodes] == [None, None, None, 2, None, None, 5]


# --- what makes no sense, and where it ends ---


async def test_what_cannot_be_read_is_data_and_the_core_is_told() -> None:
    result, nodes, core = await heard(speech("Hm.<|act|>", "<|answer|>48<|end|>"))
    assert kinds(nodes[1:]) == [["malformed", "observe"], ["answer"]] and result.status == "solved"
    assert "This could not be read: a step begins with one of think, act" in core.asked[-1].text


async def test_one_who_never_makes_sense_is_made_to_answer() -> None:
    result, nodes, _ = await heard([*[Reply("Hm.")] * 3, *speech("48<|end|>")])
    assert kinds(nodes[1:]) == [["malformed", "observe"]] * 2 + [["malformed", "answer"]]
    assert (result.status, result.answer) == ("solved", "48")


@pytest.mark.parametrize(
    ("again", "why"),
    [("x", "You wrote this before, and the tests said what is wrong with it."), (" ", "This could not be used: ")],
)
async def test_code_that_says_nothing_new_is_refused_and_then_not_listened_to(again: str, why: str) -> None:
    result, nodes, core = await heard(speech("<|act|>x<|end|>", *[f"<|act|>{again}<|end|>"] * 4), CODE)
    assert kinds(nodes[1:]) == [["act", "observe"], *[["malformed", "observe"]] * 2, ["malformed"]]
    assert why in nodes[2].steps[-1].text and len(core.asked) == 8 and result.files == {"a.py": b"x\n"}


async def test_an_act_whose_end_was_missed_ends_where_a_fence_would() -> None:
    script = [*speech("<|act|>"), Reply("a + b\n```\nThis adds them.")]
    result, nodes, core = await heard(script, CODE)
    act = nodes[1].steps[0]
    assert result.status == "solved" and act.kind == "act" and act.text == "a + b\n"
    assert [(span.sampled, len(span.ids)) for span in act.spans] == [(True, 1), (True, 6), (False, 1)]
    assert len(act.spans[1].logprobs) in (0, 6) and core.asked[1].sampling.stop[0] == "\n```"


async def test_a_cell_whose_end_was_missed_is_run() -> None:
    script = [*speech("<|act|>"), Reply("6 * 8\n```\nSo."), *speech("<|answer|>48<|end|>")]
    result, nodes, _ = await heard(script)
    assert kinds(nodes[1:]) == [["act", "observe"], ["answer"]] and result.status == "solved"
    assert nodes[1].steps[0].ids[-1] == nodes[1].steps[1].ids[-1], "it is closed by the runtime"


async def test_a_step_that_is_run_is_not_empty() -> None:
    _, _, core = await heard(speech("<|act|>6<|end|>", "<|answer|>48<|end|>"))
    end = core.tokenizer.controls["<|end|>"]
    assert [end in asked.sampling.without for asked in core.asked] == [False, True, False, True]


async def test_an_attempt_has_its_tokens_however_often_it_goes_back() -> None:
    turns = speech(*["<|act|>1<|end|>", "<|backtrack|>0 mind it<|end|>"], "<|think|>" + "x" * 99, "48")
    result, nodes, core = await heard(turns, strategy=Single(Sampling(max_tokens=40)))
    assert sum(node.cost.decoded for node in nodes) <= 40 + 32
    assert core.asked[-1].text.endswith("x<|answer|>") and (result.status, result.answer) == ("solved", "48")
    assert nodes[-1].ids[-3:] == (core.tokenizer.controls["<|end|>"], 259, 257), "it is ended and the turn closed"


async def test_a_call_that_was_made_before_makes_the_core_answer() -> None:
    result, nodes, _ = await heard(speech("<|act|>1<|end|>", "<|act|>1<|end|>", "48<|end|>"))
    assert kinds(nodes[1:]) == [["act", "observe"], ["act", "answer"]] and result.status == "solved"


# --- what the runtime says in its place ---


async def test_a_failed_test_can_open_a_reflection() -> None:
    turns = speech("<|act|>x<|end|>", "No sum.<|act|>a + b<|end|>")
    _, nodes, core = await heard(turns, CODE, speech=SpeechConfig(failed="reflect"))
    assert core.asked[-2].text.endswith("<|end|><|reflect|>")
    assert [span.sampled for span in nodes[2].steps[0].spans] == [False, True]


async def test_a_failed_test_can_open_a_step_back_or_end_the_attempt() -> None:
    turns = speech("<|act|>x<|end|>", "0 mind it<|end|>", "<|act|>a + b<|end|>")
    _, nodes, _ = await heard(turns, CODE, speech=SpeechConfig(failed="backtrack"))
    assert kinds(nodes[2:]) == [["backtrack"], ["reflect", "act", "observe", "answer"]]
    ended = speech("<|act|>x<|end|>", "<|act|>a + b<|end|>")
    _, nodes, _ = await heard(ended, CODE, strategy=BestOfN(2), width=1, speech=SpeechConfig())
    assert [node.parent for node in nodes] == [None, 0, 0] and kinds(nodes[1:2]) == [["act", "observe"]]


async def test_a_failed_test_can_send_it_back_with_the_tests_words_at_no_token_of_its_own() -> None:
    turns = speech("<|act|>x<|end|>", "<|act|>a + b<|end|>")
    result, nodes, core = await heard(turns, CODE, speech=SpeechConfig(failed="learn"))
    assert kinds(nodes[1:]) == [["act", "observe"], ["backtrack"], ["reflect", "act", "observe", "answer"]]
    back, after = nodes[2], nodes[3]
    assert not any(span.sampled for span in back.steps[0].spans) and back.cost.prefilled == back.cost.decoded == 0
    assert (after.parent, after.learnt) == (0, 2) and back.steps[0].text == f"0 {after.steps[0].text}"
    assert len(core.asked) == 4, "two acts, each opened and then written"
    assert result.status == "solved"


async def test_a_strategy_that_asks_what_was_learnt_is_told_what_the_tests_said() -> None:
    turns = speech("x<|end|>", "<|act|>a + b<|end|>")
    search = Rewind(2, Sampling(), lessons=True)
    _, nodes, core = await heard(turns, CODE, strategy=search, width=1, speech=SpeechConfig())
    assert kinds(nodes[1:]) == [["act", "observe"], ["reflect"], ["reflect", "act", "observe", "answer"]]
    assert nodes[2].cost.decoded == 0
    assert nodes[3].steps[0].text == nodes[2].steps[0].text == lesson(CODE, nodes[1].steps[1])
    assert len(core.asked) == 3, "the first attempt begins with the stub, the second with a step of its own"


async def test_one_that_fails_again_as_it_did_begins_with_nothing() -> None:
    turns = speech("<|act|>x<|end|>", "<|act|>y<|end|>", "<|act|>a + b<|end|>")
    _, nodes, _ = await heard(turns, CODE, strategy=BestOfN(2), width=1, speech=SpeechConfig(failed="learn"))
    assert kinds(nodes[4:]) == [["malformed"], ["act", "observe", "answer"]] and nodes[5].learnt is None


async def test_an_answer_that_comes_too_early_is_put_off() -> None:
    turns = speech("<|think|>So.<|answer|>", " no, 6 * 8 = 48.<|answer|>48<|end|>")
    _, nodes, core = await heard(turns, speech=SpeechConfig(least_thought=8))
    assert [step.text for step in nodes[1].steps] == ["So.", "Wait, no, 6 * 8 = 48.", "48"]
    assert core.asked[2].text.endswith("<|think|>So.<|think|>Wait,")


async def test_a_branch_that_loses_what_it_had_is_given_up() -> None:
    def halves(name: str, arguments: Json, files: Files) -> ToolResult:
        passed = [part in files["a.py"] for part in (b"a", b"b")]
        tests = [{"name": str(n), "outcome": "passed" if good else "failed"} for n, good in enumerate(passed)]
        return ToolResult(value={"tests": tests, "error": ""})

    turns = speech("<|act|>a<|end|>", "<|act|>x<|end|>", "keep a<|end|>", "<|act|>ab<|end|>")
    core = ScriptedCore(turns, speaks=True)
    events: list[Event] = []
    sandbox = ScriptedSandbox(halves, graded)
    reasoner = Reasoner(core, sandbox, Single(), clock=core.clock, speech=replace(OWN, collapse=0.4))
    await reasoner.solve(CODE, events.append)
    nodes = [e.node for e in events if isinstance(e, Added)]
    assert nodes[3].steps[0].text == "1 keep a" and (nodes[4].parent, nodes[4].learnt) == (1, 3)
    assert [span.sampled for span in nodes[3].steps[0].spans] == [False, True]


# --- how it is sampled ---


async def test_the_grammar_is_in_the_sampling_and_can_be_switched_off() -> None:
    turns = ["<|think|>Eight.<|act|>6<|end|>", "<|answer|>48<|end|>"]
    _, _, core = await heard(speech(*turns))
    c = core.tokenizer.controls
    first, think, act = (request.sampling for request in core.asked[:3])
    assert set(first.only) == {c[f"<|{name}|>"] for name in ("think", "act", "reflect", "backtrack", "answer")}
    after_thought = set(first.only) ^ {c["<|think|>"], c["<|end|>"]}
    assert not think.only and set(think.never) == set(c.values()) - after_thought
    assert set(act.never) == set(c.values()) - {c["<|end|>"]}
    assert len({request.sampling.seed for request in core.asked[:3]}) == 3
    _, _, free = await heard(speech(*turns), speech=SpeechConfig(grammar=False))
    assert not any(request.sampling.only or request.sampling.never for request in free.asked)


async def test_a_search_by_steps_may_end_a_thought_at_a_paragraph_and_go_on_there() -> None:
    beam = Beam(Steps(sampling=Sampling(), ends=("\n\n",)), 1, 1)
    turns = [*speech("<|think|>"), Reply("Eight.\n\n"), *speech("So.<|act|>6<|end|>", "<|answer|>48<|end|>")]
    result, nodes, core = await heard(turns, strategy=beam)
    assert kinds(nodes[1:]) == [["think"], ["think", "act", "observe"], ["answer"]]
    assert "<|think|>Eight.\n\nSo.<|act|>6" in core.asked[-1].text and result.status == "solved"


@pytest.mark.parametrize("task", [QUESTION, CODE])
async def test_a_core_that_fills_its_context_comes_to_an_end(task: Task) -> None:
    turns = count()

    def say(text: str, sampling: Sampling) -> Reply:
        return Reply(f"x = {next(turns)}<|end|>" if text.endswith("<|act|>") else "<|act|>")

    core = ScriptedCore(say, speaks=True, context=1500)
    reasoner = Reasoner(core, ScriptedSandbox(world, graded), BestOfN(n=2), clock=core.clock, width=1)
    result = await reasoner.solve(task)
    assert result.status in ("unsolved", "answered")
    assert len(core.asked) < 500

"""Questions on the scripted core: blocks are run where they were written, and what follows sees their output."""

from collections.abc import Sequence

from reasoner.completions import Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Beam, BestOfN, Single, Steps
from reasoner.trace import Added, Event
from reasoner.types import Files, Json, Result, Task, ToolResult

TASK = Task("q", "How many legs have 6 spiders?", answer="48")
BLOCK = "Eight each.\n```python\nprint(6 * 8)\n```\n"


def world_says(name: str, arguments: Json, files: Files) -> ToolResult:
    if arguments["code"] == "print(6 * 8)\n":
        return ToolResult("48\n", cpu_s=0.25)
    return ToolResult(error="raised", detail="NameError: name 'spiders' is not defined")


async def asked(replies: Sequence[Reply], task: Task = TASK, **options: object) -> tuple[Result, list[Event], str]:
    events: list[Event] = []
    core = ScriptedCore(replies)
    sandbox = ScriptedSandbox(world_says)
    strategy = options.pop("strategy", Single())
    reasoner = Reasoner(core, sandbox, strategy, clock=core.clock, **options)  # type: ignore[arg-type]
    result = await reasoner.solve(task, events.append)
    return result, events, core.asked[-1].text


async def test_a_block_is_run_and_its_output_stands_below_it() -> None:
    result, events, last = await asked([Reply(BLOCK), Reply("So it is 48.\nAnswer: 48")])
    assert (result.status, result.answer) == ("solved", "48")
    assert last.endswith(BLOCK + "```output\n48\n```\n\n")
    assert result.spent["tool_cpu_s"] == 0.25
    (node,) = [e.node for e in events if isinstance(e, Added) and e.head is not None]
    assert [step.kind for step in node.steps] == ["act", "observe", "answer"]
    assert [span.sampled for span in node.steps[1].spans] == [False], "what a tool says is forced"


async def test_what_a_block_raises_is_shown_to_the_core() -> None:
    result, _, last = await asked([Reply("```python\nprint(spiders)\n```\n"), Reply("Answer: 12")])
    assert "raised: NameError: name 'spiders' is not defined" in last
    assert result.status == "unsolved"


async def test_a_turn_that_ended_with_a_block_is_answered_in_a_turn_of_its_own() -> None:
    result, _, last = await asked([Reply(BLOCK.rstrip("\n")), Reply("Answer: 48")])
    assert last.endswith("```<|end|><|user|>```output\n48\n```<|end|><|assistant|>")
    assert result.status == "solved"


async def test_a_core_that_calls_the_same_thing_again_is_made_to_answer() -> None:
    result, _, last = await asked([Reply(BLOCK), Reply(BLOCK), Reply(" 48\n")])
    assert last.endswith(f"{BLOCK}\n\nAnswer:")
    assert (result.status, result.answer, result.spent["tool_calls"]) == ("solved", "48", 1)


async def test_so_is_one_that_never_comes_to_an_end() -> None:
    blocks = [Reply(f"```python\nprint({i})\n```\n") for i in range(9)]
    result, _, _ = await asked([*blocks, Reply(" 48")])
    assert (result.status, result.spent["tool_calls"]) == ("solved", 8)


async def test_so_is_one_whose_tokens_are_used_up_and_a_block_that_was_cut_is_not_run() -> None:
    strategy = Single(Sampling(max_tokens=40))
    result, _, last = await asked([Reply("```python\n" + "x = 1\n" * 9), Reply(" 48")], strategy=strategy)
    assert last.endswith("\n```\n\nAnswer:")
    assert (result.status, result.spent["tool_calls"]) == ("solved", 0)


async def test_without_a_reference_an_answer_is_an_answer() -> None:
    result, _, _ = await asked([Reply("Answer: forty-eight.")], Task("q", "How many?"))
    assert (result.status, result.answer, result.hidden) == ("answered", "forty-eight", None)


async def test_a_tool_is_called_in_json_and_refused_when_there_is_none() -> None:
    call = '<tool_call>{"name": "pithon", "arguments": {"code": "1"}}</tool_call>'
    _, _, last = await asked([Reply(call), Reply("Answer: 1")])
    assert "refused: there is no tool 'pithon': did you mean 'python'?" in last


async def test_every_attempt_begins_at_the_question() -> None:
    _, events, last = await asked([Reply("Answer: 1")] * 3, strategy=BestOfN(3), width=1)
    added = [e.node for e in events if isinstance(e, Added) and e.head is not None]
    assert [node.parent for node in added] == [0, 0, 0] and "Answer: 1" not in last


PARAGRAPHS = Beam(Steps(sampling=Sampling(), ends=("\n\n",)), 1, 1)


async def test_a_block_that_two_steps_wrote_is_run_once_it_is_whole() -> None:
    code = ["Eight each.\n\n", "```python\nx = 6\n\n", "print(x * 8)\n```\n"]
    replies = [Reply(part) for part in code] + [Reply("Answer: 48")]
    result, events, last = await asked(replies, strategy=PARAGRAPHS)
    calls = [step.call.arguments for e in events if isinstance(e, Added) for step in e.node.steps if step.call]
    assert [call["code"] for call in calls] == ["x = 6\n\nprint(x * 8)\n"]
    assert last.endswith("".join(code) + "```output\nraised: NameError: name 'spiders' is not defined\n```\n\n")
    assert result.status == "solved"


async def test_a_paragraph_that_names_the_answer_is_the_answer() -> None:
    result, events, _ = await asked([Reply("Eight each.\n\n"), Reply("**Answer:** 48\n\nNow")], strategy=PARAGRAPHS)
    kinds = [[s.kind for s in e.node.steps] for e in events if isinstance(e, Added)]
    assert (result.status, result.answer, kinds[1:]) == ("solved", "48", [["think"], ["answer"]])


async def test_a_turn_that_ends_without_a_word_more_is_answered_by_the_paragraph_before() -> None:
    result, _, _ = await asked([Reply("It is \\boxed{48}.\n\n"), Reply("")], strategy=PARAGRAPHS)
    assert (result.status, result.answer) == ("solved", "48")

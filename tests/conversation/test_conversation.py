"""Turns on the scripted core and the scripted world: where each begins, and which tokens the core reads."""

import asyncio
from pathlib import Path

import pytest

from reasoner import trace
from reasoner.conversation import Conversation, Place, Session
from reasoner.conversation.pausing import KEPT
from reasoner.conversation.turns import NoPlace
from reasoner.cores.scripted import Reply
from reasoner.errors import CoreError, TraceError
from reasoner.ledger import Budget
from reasoner.trace import Event, Wrote
from tests.conversation.conftest import begun, block, reasoner

LONG = " ".join(map(str, range(150)))


async def test_a_turn_reads_all_that_was_said_before_and_only_the_new_words_are_added(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, [f"Let us see.\n{block('x = 5')}", "It is 5 now.", "You are welcome."])
    first = await talk.ask("Let x be 5.")
    assert first.said == "It is 5 now."
    second = await talk.ask("Thank you.")
    assert second.said == "You are welcome."
    asked = [request.text for request in core.asked]
    assert asked[1].startswith(asked[0]) and asked[2].startswith(asked[1])
    assert asked[2].endswith("It is 5 now.<|end|><|user|>Thank you.<|end|><|assistant|>")
    assert [turn.id for turn in talk.line] == [1, 2]
    await talk.close()


async def test_what_was_said_before_is_no_samples_of_the_new_turn(tmp_path: Path) -> None:
    talk, _ = begun(tmp_path, ["One.", "Two."])
    await talk.ask("a")
    turn = await talk.ask("b")
    root = turn.tree[turn.tree.root]
    assert [step.kind for step in root.steps] == ["task"]
    assert not any(span.sampled for step in root.steps for span in step.spans)
    assert turn.tree.candidates == 1, "an old answer is no candidate"
    await talk.close()


async def test_undo_goes_back_to_where_the_turn_was_said_and_loses_nothing(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, ["One.", "Two.", "Three."])
    await talk.ask("a")
    await talk.ask("b")
    assert talk.undo().words == "b"
    third = await talk.ask("c")
    assert [turn.words for turn in talk.line] == ["a", "c"] and sorted(talk.turns) == [1, 2, 3]
    assert "Two" not in core.asked[-1].text and third.base == Place(1, 1)
    with pytest.raises(NoPlace, match="there are 2 turns to take back, not 3"):
        talk.undo(3)
    talk.undo(2)
    assert talk.at is None
    await talk.close()


async def test_a_fork_goes_on_from_any_turn_of_any_branch(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, ["One.", "Two.", "Three.", "Four."])
    await talk.ask("a")
    await talk.ask("b")
    talk.fork(1)
    await talk.ask("c")
    talk.fork(2)
    await talk.ask("d")
    assert [turn.id for turn in talk.line] == [1, 2, 4]
    assert "Two" in core.asked[-1].text and "Three" not in core.asked[-1].text
    with pytest.raises(NoPlace, match="there is no turn 9"):
        talk.fork(9)
    await talk.close()


async def test_a_rewind_goes_on_after_an_inner_step_with_new_words(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, [f"A\n{block('x = 1')}", f"B\n{block('x = 22')}", "Done.", "Back."])
    turn = await talk.ask("go")
    assert [stop.step.kind for stop in turn.stops()] == ["act", "act", "answer"]
    talk.rewind(1)
    await talk.ask("and now?")
    text = core.asked[-1].text
    assert text.endswith("```output\n6 []\n```\n\n<|end|><|user|>and now?<|end|><|assistant|>")
    assert "x = 22" not in text
    with pytest.raises(NoPlace, match="turn 1 has 3 steps, and no step 7"):
        talk.rewind(7, 1)
    await talk.close()


async def test_after_a_rewind_another_try_goes_on_in_the_same_breath(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, [f"A\n{block('x = 1')}", "Done.", "Done otherwise."])
    await talk.ask("go")
    talk.rewind(1)
    again = await talk.retry()
    assert again.said == "Done otherwise."
    assert core.asked[-1].text == core.asked[1].text
    assert core.asked[-1].sampling.temperature > 0 == core.asked[1].sampling.temperature
    await talk.close()


async def test_another_try_says_the_same_words_at_the_same_place(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, ["One.", "Two.", "Other."])
    await talk.ask("a")
    first = await talk.ask("b")
    second = await talk.retry()
    assert (second.words, second.base, second.said) == ("b", first.base, "Other.")
    assert core.asked[1].text == core.asked[2].text and core.asked[1].sampling.seed != core.asked[2].sampling.seed
    await talk.close()


async def test_files_that_are_given_are_in_the_world_and_in_the_words(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, [block("len(open('a.txt').read())"), "Three."])
    turn = await talk.ask("How long is it?", files={"a.txt": b"abc"})
    assert "The file `a.txt`:\n```\nabc\n```\n\nHow long is it?" in core.asked[0].text
    assert "['a.txt']" in core.asked[1].text and turn.files == {"a.txt": b"abc"}
    await talk.close()


async def test_a_core_that_dies_in_mid_turn_leaves_a_turn_that_can_be_gone_on_with(tmp_path: Path) -> None:
    solver = reasoner([Reply(block("x = 1")), Reply("It", fails="the server is gone"), Reply("It is 1.")])
    talk = Conversation(solver, Session.create(tmp_path / "s", solver.core.info, {}))
    with pytest.raises(CoreError, match="the server is gone"):
        await talk.ask("Let x be 1.")
    assert talk.unfinished is talk.turns[1] and talk.at is None
    turn = await talk.go_on(talk.turns[1])
    assert turn.said == "It is 1." and talk.unfinished is None
    assert [stop.step.kind for stop in turn.stops()] == ["act", "answer"], "the block was not run twice"
    await talk.close()


async def test_a_turn_whose_budget_is_spent_goes_on_with_as_much_again(tmp_path: Path) -> None:
    talk, _ = begun(tmp_path, [block("x = 1"), "It is 1."])
    talk.budget = Budget(tool_cpu_s=0.4)
    turn = await talk.ask("Let x be 1.")
    assert turn.result and turn.result.status == "suspended" and talk.unfinished is turn
    await talk.go_on(turn)
    assert turn.said == "It is 1." and talk.unfinished is None
    await talk.close()


async def test_a_paused_turn_that_is_kept_ends_with_what_was_written_and_can_be_talked_to(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, [LONG, "Sorry."])

    def stop(event: Event) -> None:
        if isinstance(event, Wrote) and event.tokens and not talk._pausing.paused:  # type: ignore[union-attr]
            talk.pause()
            asyncio.get_running_loop().call_later(0.01, talk.keep)

    turn = await talk.ask("Say much.", stop)
    assert turn.result and turn.result.stop.reason == KEPT
    written = "".join(step.text for step in turn.steps)
    assert 0 < len(written) < len(LONG) and LONG.startswith(written)
    await talk.ask("Stop that.")
    assert core.asked[-1].text.endswith(f"{written}<|end|><|user|>Stop that.<|end|><|assistant|>")
    await talk.close()


async def test_a_paused_turn_that_goes_on_is_the_turn_that_was_not_paused(tmp_path: Path) -> None:
    talk, _ = begun(tmp_path, [LONG])

    def stop(event: Event) -> None:
        if isinstance(event, Wrote):
            talk.pause()
            asyncio.get_running_loop().call_soon(talk.proceed)

    turn = await talk.ask("Say much.", stop)
    assert turn.said == LONG.strip()
    await talk.close()


async def test_a_cancelled_turn_that_is_dropped_is_as_if_it_was_never_said(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, ["One.", "Two.", "Three."])
    await talk.ask("a")
    asking = asyncio.create_task(talk.ask("b", lambda event: asking.cancel() if isinstance(event, Wrote) else None))
    with pytest.raises(asyncio.CancelledError):
        await asking
    talk.drop()
    assert talk.unfinished is None and [turn.words for turn in talk.line] == ["a"]
    await talk.ask("c")
    assert "b<|end|>" not in core.asked[-1].text
    await talk.close()


async def test_a_session_is_gone_on_with_from_disk(tmp_path: Path) -> None:
    talk, _ = begun(tmp_path, [block("x = 5"), "It is 5.", "Yes."])
    await talk.ask("Let x be 5.")
    await talk.ask("Sure?")
    before = talk.ids(talk.at)
    talk.undo()
    await talk.close()

    solver = reasoner([Reply("Hello again.")])
    object.__setattr__(solver.core, "info", talk.reasoner.core.info)
    later = Conversation.load(solver, Session.load(tmp_path / "s"))
    assert later.at == Place(1, 2) and [turn.words for turn in later.line] == ["Let x be 5."]
    later.fork(2)
    assert later.ids(later.at) == before
    await later.ask("Still there?")
    assert later.line[-1].id == 3
    await later.close()


async def test_another_core_cannot_go_on_with_a_session(tmp_path: Path) -> None:
    talk, _ = begun(tmp_path, ["One."])
    await talk.ask("a")
    await talk.close()
    session = Session.load(tmp_path / "s")
    with pytest.raises(TraceError, match="use the same model"):
        Conversation.load(reasoner([Reply("Another.")]), session)
    session.close()


async def test_every_turn_is_a_trace_like_any_other(tmp_path: Path) -> None:
    talk, _ = begun(tmp_path, [block("x = 5"), "It is 5."])
    turn = await talk.ask("Let x be 5.")
    past = trace.read(talk.session.path(1))
    assert past.result == turn.result and len(past.tree()) == len(turn.tree) == 3
    await talk.close()


async def test_a_core_that_goes_round_in_circles_is_stopped_and_can_be_talked_to(tmp_path: Path) -> None:
    talk, _ = begun(tmp_path, ["word " * 200, "word " * 200, "Sorry."])
    turn = await talk.ask("Say much.")
    assert turn.result and turn.result.status == "unsolved" and [step.kind for step in turn.steps] == ["think"] * 2
    assert (await talk.ask("Stop that.")).said == "Sorry."
    await talk.close()

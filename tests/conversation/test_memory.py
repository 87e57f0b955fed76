"""What the core reads once a conversation fills half of its context, on the scripted core."""

from pathlib import Path

from reasoner.completions import Sampling
from reasoner.conversation import Conversation, Session
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.dialect.prompts import prompt
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import Single
from tests.conversation.conftest import block, echoes

CONTEXT = 3_000
ASKED = prompt("summarise")[:40]
LONG = "a word and another " * 45


def says(text: str, sampling: Sampling) -> Reply:
    if ASKED in text.rpartition("<|user|>")[2]:
        return Reply("x is 5.")
    asked = text.rpartition("<|user|>")[2].partition("<|end|>")[0].rsplit("\n", 1)[-1]
    if asked == "Compute.":
        return Reply(f"I run it.\n{block('x = 5')}")
    return Reply(f"Yes to {asked[:8]}. {LONG}")


def begun(folder: Path, told: list[str]) -> tuple[Conversation, ScriptedCore]:
    core = ScriptedCore(says, context=CONTEXT)
    solver = Reasoner(core, ScriptedSandbox(echoes), Single(), clock=core.clock)
    return Conversation(solver, Session.create(folder / "s", core.info, {}), told.append), core


async def test_old_turns_become_a_summary_and_the_latest_stay_word_for_word(tmp_path: Path) -> None:
    told: list[str] = []
    talk, core = begun(tmp_path, told)
    for number in range(5):
        turn = await talk.ask(f"Word {number}")
    text = core.asked[-1].text
    assert "What we said earlier, in short:\nx is 5.\n" in text and "Word 1" not in text
    assert "Yes to Word 3" in text and text.count("<|system|>") == 1
    assert told == ["to leave room, the core puts turns 1 and 2 into a summary: /pin keeps a turn"]
    assert talk.verbatim() == [3, 4, 5] and [t.id for t in talk.line] == [1, 2, 3, 4, 5]
    assert turn.spent.tokens > len(turn.tree[1].ids), "the summary is charged"
    await talk.close()


async def test_a_conversation_of_any_length_stays_inside_the_context(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, [])
    for number in range(12):
        await talk.ask(f"Word {number}")
        assert len(talk.ids(talk.at)) < CONTEXT * 3 // 4
    assert core.asked[-1].text.count("What we said earlier") == 1
    await talk.close()


async def test_a_pinned_turn_stays_until_it_is_pinned_no_longer(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, [])
    await talk.ask("Compute.")
    assert talk.pin(1)
    for number in range(8):
        await talk.ask(f"Word {number}")
    assert "Compute." in core.asked[-1].text and "x = 5\n```\n```output\n" in core.asked[-1].text
    assert talk.verbatim()[0] == 1 and 2 not in talk.verbatim()
    assert not talk.pin(1)
    for number in range(4):
        await talk.ask(f"More {number}")
    assert "Compute." not in core.asked[-1].text
    await talk.close()


async def test_a_session_from_disk_reads_the_same_tokens_and_goes_on_as_shortened(tmp_path: Path) -> None:
    talk, _ = begun(tmp_path, [])
    await talk.ask("Compute.")
    talk.pin(1)
    for number in range(6):
        await talk.ask(f"Word {number}")
    before, verbatim = talk.ids(talk.at), talk.verbatim()
    await talk.close()
    again = Conversation.load(talk.reasoner, Session.load(tmp_path / "s"))
    assert again.ids(again.at) == before and again.verbatim() == verbatim and again.session.pinned == {1}
    await again.close()


async def test_taking_back_brings_the_old_words_back(tmp_path: Path) -> None:
    talk, core = begun(tmp_path, [])
    for number in range(5):
        await talk.ask(f"Word {number}")
    talk.undo(2)
    assert talk.verbatim() == [1, 2, 3]
    await talk.ask("Word other")
    assert "Yes to Word 0" in core.asked[-1].text and "What we said earlier" not in core.asked[-1].text
    await talk.close()

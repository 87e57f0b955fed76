"""A session on disk: what is broken costs as little as it can, and is said."""

from pathlib import Path

import pytest

from reasoner.conversation import Conversation, Session
from reasoner.cores.scripted import Reply
from reasoner.errors import TraceError
from tests.conversation.conftest import begun, reasoner


async def three_turns(folder: Path) -> Conversation:
    talk, _ = begun(folder, ["One.", "Two.", "Three."])
    for words in "abc":
        await talk.ask(words)
    await talk.close()
    return talk


def loaded(talk: Conversation) -> Conversation:
    solver = reasoner([Reply("Again.")])
    object.__setattr__(solver.core, "info", talk.reasoner.core.info)
    return Conversation.load(solver, Session.load(talk.session.folder))


async def test_a_turn_whose_trace_is_broken_is_lost_with_what_hangs_from_it(tmp_path: Path) -> None:
    talk = await three_turns(tmp_path)
    path = talk.session.path(2)
    path.write_bytes(b"{broken\n" + path.read_bytes())
    later = loaded(talk)
    assert sorted(later.turns) == [1]
    assert (
        "turn 2 is lost" in later.session.lost[0] and "turn 3 hangs from a turn that is lost" in later.session.lost[1]
    )
    await later.ask("on")
    assert [turn.words for turn in later.line] == ["a", "on"], "the good part is gone on with"
    await later.close()


async def test_an_index_cut_in_mid_line_is_gone_on_with(tmp_path: Path) -> None:
    talk = await three_turns(tmp_path)
    index = talk.session.folder / "session.jsonl"
    index.write_bytes(index.read_bytes()[:-20])
    later = loaded(talk)
    assert len(later.session.lost) == 1 and "is broken, and is left out" in later.session.lost[0]
    assert [turn.words for turn in later.line] == ["a", "b"] and later.unfinished is later.turns[3]
    await later.ask("on")
    await later.close()
    last = loaded(talk)
    assert len(last.turns) == 4
    await last.close()


async def test_a_session_is_open_in_one_process_at_a_time(tmp_path: Path) -> None:
    talk, _ = begun(tmp_path, ["One."])
    with pytest.raises(TraceError, match="another process has the session s open"):
        Session.load(talk.session.folder)
    await talk.close()


def test_no_session_and_no_beginning_are_said(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="there is no session"):
        Session.load(tmp_path / "nowhere")
    (tmp_path / "session.jsonl").write_bytes(b"not JSON\n")
    with pytest.raises(TraceError, match="has no beginning"):
        Session.load(tmp_path)

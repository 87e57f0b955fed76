"""Stops are found in the tokens themselves, whatever a server calls a stop."""

import pytest

from reasoner.completions import Completion, Sampling, Usage
from reasoner.cores.remote.exchange import Delta
from reasoner.cores.remote.row import Row
from reasoner.dialect.tokenizer import ByteTokenizer
from reasoner.errors import CoreError

BYTES = ByteTokenizer()


def written(row: Row, *parts: str, logprob: float | None = -0.5) -> Completion:
    piece = row.take(Delta())
    shown = ""
    for part in parts:
        ids = tuple(BYTES.encode(part))
        piece = row.take(Delta(ids, None if logprob is None else (logprob,) * len(ids)))
        if row.finish:
            break
        shown += piece.text
    last = row.done(piece, Usage())
    assert last.done is not None
    assert shown + last.text == last.done.text
    return last.done


def test_a_stop_string_that_spans_events_ends_the_row_at_the_token_that_completes_it() -> None:
    row = Row(BYTES, Sampling(stop=("```\n", "zz")), 100)
    done = written(row, "x = 1\n``", "`\nand more")
    assert (done.text, done.finish, len(done.logprobs)) == ("x = 1\n```\n", "stop", 10)


def test_a_stop_id_ends_the_row_and_is_part_of_it() -> None:
    row = Row(BYTES, Sampling(stop_ids=(259,)), 100)
    row.take(Delta((104, 105, 259, 104), (0.0,) * 4))
    assert (row.ids, row.finish) == ([104, 105, 259], "stop")


def test_a_server_that_writes_more_than_was_asked_for_is_cut_at_the_limit() -> None:
    done = written(Row(BYTES, Sampling(), 4), "abc", "def")
    assert (done.text, done.finish) == ("abcd", "length")


def test_one_unknown_log_probability_leaves_the_completion_without() -> None:
    assert written(Row(BYTES, Sampling(), 3), "abc", logprob=-1.0).logprobs == (-1.0,) * 3
    assert written(Row(BYTES, Sampling(), 3), "abc", logprob=None).logprobs == ()


def test_a_character_in_pieces_is_shown_once_it_is_whole() -> None:
    row = Row(BYTES, Sampling(stop=("é",)), 100)
    first, second = (row.take(Delta((i,), (0.0,))) for i in "é".encode())
    assert (first.text, second.text, row.finish) == ("", "é", "stop")


def test_an_id_beyond_the_vocabulary_is_an_error() -> None:
    with pytest.raises(CoreError, match=r"wrote token id 260, but the tokenizer has 260"):
        Row(BYTES, Sampling(), 9).take(Delta((260,), (0.0,)))

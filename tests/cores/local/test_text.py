"""Text arrives whole: no half characters, no late stop."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.cores.local.text import Detokenizer
from reasoner.dialect.tokenizer import ByteTokenizer, HubTokenizer

BYTES = ByteTokenizer()


@given(st.text(max_size=30))
def test_pieces_join_to_the_text_and_none_holds_half_a_character(text: str) -> None:
    growing = Detokenizer(BYTES)
    pieces = [growing.push(i)[0] for i in BYTES.encode(text)]
    assert "".join(pieces) + growing.rest() == BYTES.decode(BYTES.encode(text))
    if "\ufffd" not in BYTES.decode(BYTES.encode(text)):
        assert not any("\ufffd" in piece for piece in pieces)
        assert growing.rest() == ""


@given(st.binary(max_size=20))
def test_broken_bytes_join_to_what_the_tokenizer_says(data: bytes) -> None:
    growing = Detokenizer(BYTES)
    pieces = [growing.push(i)[0] for i in data]
    assert "".join(pieces) + growing.rest() == BYTES.decode(list(data))


@given(
    st.text(alphabet="ab\n`é", max_size=30), st.lists(st.text(alphabet="ab\n`é", min_size=1, max_size=4), max_size=3)
)
def test_the_token_that_completes_a_stop_string_is_the_one_that_stops(text: str, stops: list[str]) -> None:
    growing = Detokenizer(BYTES, stops)
    ids = BYTES.encode(text)
    for count, token in enumerate(ids, 1):
        seen = bytes(ids[:count]).decode(errors="ignore")
        assert growing.push(token)[1] == any(s in seen for s in stops)
        if any(s in seen for s in stops):
            return


def test_a_tokenizer_of_a_model_directory_streams_the_same_text(tiny: Any) -> None:
    known = HubTokenizer(Path(tiny.directory))
    growing = Detokenizer(known)
    ids = known.encode("naïve 🎈\n\tend")
    assert "".join(growing.push(i)[0] for i in ids) + growing.rest() == "naïve 🎈\n\tend"


@pytest.mark.parametrize("control", [256, 257])
def test_controls_say_nothing(tiny: Any, control: int) -> None:
    growing = Detokenizer(HubTokenizer(Path(tiny.directory)))
    assert [growing.push(i)[0] for i in (65, control, 66)] == ["A", "", "B"]

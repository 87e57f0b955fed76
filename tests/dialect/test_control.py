import pytest

from reasoner.dialect.control import NAMES, WORDS, Controls, rows, token
from reasoner.dialect.tokenizer import ByteTokenizer
from reasoner.errors import ModelError


class Vocabulary(ByteTokenizer):
    def __init__(self, size: int, *controls: str) -> None:
        self.vocabulary = size
        self.controls = {name: size - len(controls) + i for i, name in enumerate(controls)}


def test_rows_behind_the_last_token_are_renamed() -> None:
    found = rows(Vocabulary(300, "<|im_end|>"))
    assert found.ids == tuple(range(300, 307))
    assert [found.name(i) for i in found.ids] == [*NAMES] and found.name(299) is None


@pytest.mark.parametrize("form", ["<|reserved_special_token_{}|>", "<unused{}>"])
def test_rows_that_a_vocabulary_calls_spare_are_renamed_first(form: str) -> None:
    assert rows(Vocabulary(300, *(form.format(i) for i in range(9)))).ids == tuple(range(291, 298))
    assert rows(Vocabulary(300, *(form.format(i) for i in range(3)))).ids == tuple(range(300, 307))


def test_a_core_speaks_only_when_it_knows_all_of_them() -> None:
    assert Controls.of(ByteTokenizer()) is None, "a turn's own <|end|> is not enough"
    spoken = Vocabulary(300, *(token(name) for name in NAMES))
    controls = Controls.of(spoken)
    assert controls is not None and controls.named() == spoken.controls
    with pytest.raises(ModelError, match="has a <|think|> already".replace("|", r"\|")):
        rows(spoken)


def test_every_token_has_words_to_begin_as() -> None:
    assert set(WORDS) == set(NAMES)

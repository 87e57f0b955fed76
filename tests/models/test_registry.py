import re

import pytest

from reasoner.errors import ModelError
from reasoner.models.registry import HubFile, Wheels, entries, find, parse, unknown

ONE = """
[[model]]
name = "a"
aliases = ["b"]
licence = "MIT"
bytes = 1
sha256 = "00"
context = 8
[[model.source]]
kind = "hub"
repo = "r"
file = "f"
"""


def test_the_shipped_registry_is_whole() -> None:
    for entry in entries():
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
        assert entry.bytes > 10**7
        assert [type(source) for source in entry.sources] == [HubFile, Wheels]
    assert [entry.name for entry in entries() if entry.default] == ["qwen2.5-coder-0.5b-instruct"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("0.5b", "qwen2.5-coder-0.5b-instruct"),
        ("Qwen2.5-Coder-0.5B-Instruct", "qwen2.5-coder-0.5b-instruct"),
        ("1.5B", "qwen2.5-coder-1.5b-instruct"),
        ("smollm2", "smollm2-135m-instruct"),
    ],
)
def test_a_model_is_found_by_name_and_alias_in_any_case(name: str, found: str) -> None:
    entry = find(name, entries())
    assert entry is not None
    assert entry.name == found


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("smolm2", "smollm2"),
        ("qwen2.5-coder-0.5", "qwen2.5-coder-0.5b"),
        ("Qwen/Qwen2.5-Coder-1.5B-Instruct", "qwen2.5-coder-1.5b-instruct"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    assert find(name, entries()) is None
    assert f"did you mean {nearest}?" in str(unknown(name, entries()))


def test_a_name_like_none_is_answered_with_all() -> None:
    assert all(entry.name in str(unknown("zzz", entries())) for entry in entries())


def test_the_packages_of_a_source_are_counted_from_one() -> None:
    source = Wheels("part{n}", "2.0", 3, "*/{n:02}.bin")
    assert [source.requirement(n) for n in (1, 3)] == ["part1==2.0", "part3==2.0"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[model", "cannot be read"),
        (ONE.replace('sha256 = "00"', ""), "sha256"),
        (ONE.replace("context", "contxt"), "contxt"),
        (ONE.replace('kind = "hub"', 'kind = "ftp"'), "'ftp'"),
        (ONE + ONE.replace('"a"', '"c"'), "the name b twice"),
    ],
)
def test_a_registry_that_cannot_be_used_says_why(text: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        parse(text)

"""What was read is kept, under its own key alone, and only as long as it is whole."""

import os
from pathlib import Path

import pytest

from reasoner.broker.cache import Cache
from reasoner.broker.exchange import Reply
from reasoner.errors import ToolError

REPLY = Reply(200, "text/html", "utf-8", "", b"line\nbody \x00\xff")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "pages")


def entry(cache: Cache) -> Path:
    [path] = cache.folder.iterdir()
    return path


def test_a_reply_comes_back_as_it_was(cache: Cache) -> None:
    assert cache.get("page x") is None
    cache.put("page x", REPLY, 1.0)
    assert cache.get("page x") == REPLY
    assert cache.get("page y") is None


def test_a_new_reply_takes_the_place_of_the_old(cache: Cache) -> None:
    cache.put("x", REPLY, 1.0)
    cache.put("x", Reply(404), 2.0)
    assert cache.get("x") == Reply(404)
    assert entry(cache)


def test_what_was_kept_before_is_nothing_to_those_who_ask_anew(cache: Cache) -> None:
    cache.put("x", REPLY, 10.0)
    assert cache.get("x", since=10.0) == REPLY
    assert cache.get("x", since=10.5) is None


def test_an_entry_of_another_key_is_none(cache: Cache) -> None:
    cache.put("page https://evil.com/", REPLY, 1.0)
    stolen = entry(cache)
    cache.put("page https://a.org/", Reply(404), 1.0)
    [place] = set(cache.folder.iterdir()) - {stolen}
    place.write_bytes(stolen.read_bytes())
    assert cache.get("page https://a.org/") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content.replace(b"body", b"BODY"),
        lambda content: b"",
        lambda content: b"\n" + content,
        lambda content: b"[1]\n",
        lambda content: b"[" * 5000,
        lambda content: content.replace(b'"at": 1.0', b'"at": "x"'),
    ],
)
def test_an_entry_that_is_not_whole_is_none(cache: Cache, damage) -> None:  # type: ignore[no-untyped-def]
    cache.put("x", REPLY, 1.0)
    entry(cache).write_bytes(damage(entry(cache).read_bytes()))
    assert cache.get("x") is None


@pytest.mark.parametrize("key", ["page https://a.org/../../../../tmp/x", "../x", "/etc/passwd", "x" * 5000, "a\0b"])
def test_no_key_becomes_a_path(cache: Cache, key: str) -> None:
    cache.put(key, REPLY, 1.0)
    assert cache.get(key) == REPLY
    assert len(entry(cache).name) == 64
    assert cache.folder.stat().st_mode & 0o077 == 0


def test_the_least_used_go_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, size=3000)
    for number, key in enumerate(("a", "b", "c")):
        cache.put(key, Reply(200, body=b"x" * 700), 1.0)
        os.utime(max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime), (number, number))
    cache.get("a")
    cache.put("d", Reply(200, body=b"x" * 700), 1.0)
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3000


def test_a_disk_that_refuses_is_our_error_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError, match=r"file cannot be read or written \(.*set fetch.cache to another folder"):
        Cache(tmp_path / "file").put("x", REPLY, 1.0)
    with pytest.raises(ToolError, match="cannot be read or written"):
        Cache(tmp_path / "file").get("x")

"""The hub as a source, against a real server on the loopback interface."""

from pathlib import Path
from typing import Any

import pytest

from reasoner.errors import ModelError
from reasoner.models.fetch import Fetched, fetch

DATA = bytes(range(256)) * 2000
WRONG = DATA[:-1] + b"\0"


def pull(hub: Any, folder: Path, watcher: Any, sha256: str | None = None) -> Fetched:
    return fetch(hub.entry(sha256), folder, watcher)


def content(fetched: Fetched) -> bytes:
    return fetched.path.read_bytes()


@pytest.fixture(autouse=True)
def served(hub: Any) -> None:
    hub.data = DATA


def test_a_file_arrives_whole_with_its_progress_told(hub: Any, tmp_path: Path, watcher: Any) -> None:
    assert content(pull(hub, tmp_path, watcher)) == DATA
    assert (watcher.done, watcher.total, watcher.lines) == (len(DATA), len(DATA), [])
    assert hub.asked[0]["path"] == "/someone/tiny/resolve/main/tiny.gguf"
    assert "Range" not in hub.asked[0]


@pytest.mark.parametrize("length", [True, False], ids=["with length", "without length"])
def test_a_server_that_dies_midway_is_asked_for_the_rest_only(
    length: bool, hub: Any, tmp_path: Path, watcher: Any
) -> None:
    hub.length, hub.cuts = length, [100_000, 50_000]
    assert content(pull(hub, tmp_path, watcher)) == DATA
    assert [asked.get("Range") for asked in hub.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert hub.asked[1]["If-Range"] == hub.etag
    assert watcher.done == len(DATA)
    assert all("broke off after" in line for line in watcher.lines)


def test_a_later_call_goes_on_where_an_earlier_one_ended(hub: Any, tmp_path: Path, watcher: Any) -> None:
    hub.cuts = [100_000, 0]
    with pytest.raises(ModelError, match="tiny could not be fetched"):
        pull(hub, tmp_path, watcher)
    assert content(pull(hub, tmp_path, watcher)) == DATA
    assert hub.asked[-1]["Range"] == "bytes=100000-"
    assert watcher.done == len(DATA)


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(hub: Any, tmp_path: Path, watcher: Any) -> None:
    hub.data, hub.cuts = WRONG, [100_000, 0]
    with pytest.raises(ModelError):
        pull(hub, tmp_path, watcher)
    hub.data, hub.etag = DATA, '"two"'
    assert content(pull(hub, tmp_path, watcher)) == DATA
    assert watcher.done == len(DATA)


@pytest.mark.parametrize("etag", ["", 'W/"weak"'], ids=["no etag", "weak etag"])
def test_nothing_is_glued_together_that_may_not_belong_together(
    etag: str, hub: Any, tmp_path: Path, watcher: Any
) -> None:
    hub.etag, hub.cuts = etag, [100_000]
    assert content(pull(hub, tmp_path, watcher)) == DATA
    assert [asked.get("Range") for asked in hub.asked] == [None, None]


def test_a_wrong_byte_names_both_hashes_and_leaves_nothing(hub: Any, tmp_path: Path, watcher: Any) -> None:
    right = hub.entry().sha256
    hub.data = WRONG
    wrong = hub.entry().sha256
    with pytest.raises(ModelError, match=f"SHA-256 is {wrong}, expected {right}"):
        pull(hub, tmp_path, watcher, right)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_byte_on_disk_between_two_calls_is_found(hub: Any, tmp_path: Path, watcher: Any) -> None:
    hub.cuts = [100_000, 0]
    with pytest.raises(ModelError):
        pull(hub, tmp_path, watcher)
    part = tmp_path / "tiny.gguf"
    part.write_bytes(b"X" + part.read_bytes()[1:])
    with pytest.raises(ModelError, match="is not the published file"):
        pull(hub, tmp_path, watcher)
    assert list(tmp_path.iterdir()) == []


def test_a_note_that_is_damaged_means_a_fresh_start(hub: Any, tmp_path: Path, watcher: Any) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"rubbish")
    (tmp_path / "tiny.gguf.json").write_text("{")
    assert content(pull(hub, tmp_path, watcher)) == DATA


@pytest.mark.parametrize("status", [401, 404, 503])
def test_a_refusal_is_told_with_its_number(status: int, hub: Any, tmp_path: Path, watcher: Any) -> None:
    hub.status = status
    with pytest.raises(ModelError, match=rf"the hub \(someone/tiny\): it answers {status} .*Check the network"):
        pull(hub, tmp_path, watcher)
    assert len(hub.asked) == 1


def test_a_page_in_place_of_the_file_is_not_downloaded(hub: Any, tmp_path: Path, watcher: Any) -> None:
    entry = hub.entry()
    hub.data = b"<html>Please log in</html>"
    with pytest.raises(ModelError, match=f"its file has 26 bytes, not {len(DATA)}"):
        fetch(entry, tmp_path, watcher)


def test_more_bytes_than_the_file_has_are_not_taken(hub: Any, tmp_path: Path, watcher: Any) -> None:
    entry = hub.entry()
    hub.data, hub.length = DATA + b"more", False
    with pytest.raises(ModelError, match=f"more than the {len(DATA)} bytes"):
        fetch(entry, tmp_path, watcher)


def test_an_address_where_nobody_answers_fails_at_once(
    hub: Any, tmp_path: Path, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="Connection refused"):
        pull(hub, tmp_path, watcher)
    assert watcher.lines == ["the hub (someone/tiny) does not help: [Errno 111] Connection refused"]


def test_offline_is_honoured(hub: Any, tmp_path: Path, watcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        pull(hub, tmp_path, watcher)
    assert hub.asked == []


def test_the_token_is_sent_to_the_hub_and_not_to_where_it_redirects(
    hub: Any, tmp_path: Path, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    hub.redirect = hub.address.replace("127.0.0.1", "localhost") + "/blob"
    assert content(pull(hub, tmp_path, watcher)) == DATA
    assert [asked.get("Authorization") for asked in hub.asked] == ["Bearer secret", None]


def test_a_file_in_the_hubs_own_cache_is_used_where_it_lies(
    hub: Any, tmp_path: Path, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "cache" / "models--someone--tiny" / "snapshots" / "abc"
    place.mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    (place / "tiny.gguf").write_bytes(WRONG)
    assert content(pull(hub, tmp_path, watcher)) == DATA
    (place / "tiny.gguf").write_bytes(DATA)
    found = pull(hub, tmp_path, watcher)
    assert (found.path, found.partial) == (place / "tiny.gguf", None)
    assert len(hub.asked) == 1

"""The store: whole models or none, one process at a time, an error and no litter when the disk is full."""

import fcntl
import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reasoner.errors import ModelError
from reasoner.models.directory import check, digest
from reasoner.models.store import Store

Make = Callable[[str], Any]


@pytest.fixture
def served(hub: Any, make: Make, tmp_path: Path) -> Any:
    hub.data = make("llama").write(tmp_path / "source.gguf").read_bytes()
    return hub


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def litter(store: Store) -> set[str]:
    return {path.name for folder in ("models", "downloads") for path in (store.root / folder).iterdir()} - {"tiny.lock"}


def test_a_pulled_model_is_a_whole_directory_and_nothing_else(served: Any, store: Store, watcher: Any) -> None:
    entry = served.entry()
    assert store.listed(entry).state == "absent"
    place = store.pull(entry, watcher)
    assert check(place) == place == store.root / "models" / "tiny"
    assert {path.name for path in place.iterdir()} == {
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
        "model.safetensors", "reasoner.json",
    }  # fmt: skip
    assert litter(store) == {"tiny"}
    assert place.stat().st_mode & 0o777 == 0o755
    listed = store.listed(entry)
    assert (listed.state, listed.bytes) == ("ready", sum(path.stat().st_size for path in place.iterdir()))


def test_a_model_that_is_here_is_not_fetched_again(served: Any, store: Store, watcher: Any) -> None:
    entry = served.entry()
    assert store.pull(entry, watcher) == store.pull(entry, watcher)
    assert len(served.asked) == 1


def test_an_interrupted_pull_is_listed_as_partial_and_goes_on(served: Any, store: Store, watcher: Any) -> None:
    entry, served.cuts = served.entry(), [1000, 0]
    with pytest.raises(ModelError):
        store.pull(entry, watcher)
    assert (store.listed(entry).state, store.listed(entry).bytes) == ("partial", 1000)
    store.pull(entry, watcher)
    assert served.asked[-1]["Range"] == "bytes=1000-"


def test_two_pulls_at_once_fetch_once(served: Any, store: Store, watcher: Any) -> None:
    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(lambda _: store.pull(served.entry(), watcher), range(2)))
    assert places[0] == places[1]
    assert len(served.asked) == 1


def test_a_pull_says_that_it_waits_for_another_process(served: Any, store: Store, watcher: Any) -> None:
    (store.root / "downloads").mkdir(parents=True)
    with (store.root / "downloads" / "tiny.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pulling = threading.Thread(target=store.pull, args=(served.entry(), watcher))
        pulling.start()
        until = time.monotonic() + 20
        while not watcher.lines and time.monotonic() < until:
            time.sleep(0.01)
        assert watcher.lines == ["another process is getting tiny; waiting for it"]
        assert served.asked == []
    pulling.join(20)
    assert store.listed(served.entry()).state == "ready"


def test_what_a_killed_process_left_is_cleared_away(served: Any, store: Store, watcher: Any) -> None:
    for stale in ("models/.tiny--abc", "downloads/.tiny.gguf-xyz", "models/.other--abc"):
        (store.root / stale).mkdir(parents=True)
        (store.root / stale / "file").write_bytes(b"x")
    store.pull(served.entry(), watcher)
    assert litter(store) == {"tiny", ".other--abc"}


def test_a_model_from_another_file_is_replaced(served: Any, store: Store, watcher: Any) -> None:
    place = store.place("tiny")
    place.mkdir(parents=True)
    (place / "reasoner.json").write_text('{"sha256": "old"}')
    (place / "stale").touch()
    store.pull(served.entry(), watcher)
    assert not (place / "stale").exists()
    check(place)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: writing more fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_while_fetching_is_told_and_the_rest_is_fetched_later(
    served: Any, store: Store, watcher: Any
) -> None:
    with largest_file(40_000), pytest.raises(ModelError, match="there is no room left: make room and run this again"):
        store.pull(served.entry(), watcher)
    assert store.listed(served.entry()).state == "partial"
    check(store.pull(served.entry(), watcher))
    assert int(served.asked[-1]["Range"].removeprefix("bytes=").rstrip("-")) == 40_000


def test_a_disk_that_fills_up_while_converting_leaves_no_model(make: Make, store: Store, watcher: Any) -> None:
    gguf = make("llama").write(store.root.parent / "mine.gguf")
    with largest_file(40_000), pytest.raises(ModelError, match="there is no room left"):
        store.adopt(gguf, watcher)
    assert list((store.root / "models").iterdir()) == []


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(served: Any, store: Store, watcher: Any) -> None:
    from dataclasses import replace

    with pytest.raises(ModelError, match=r"MB free and \d+ MB more are needed: make room, or point REASONER_HOME"):
        store.pull(replace(served.entry(), bytes=2**60), watcher)
    assert served.asked == []


def test_a_store_that_cannot_be_made_is_one_clear_error(served: Any, tmp_path: Path, watcher: Any) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="Not a directory"):
        Store(tmp_path / "file" / "home").pull(served.entry(), watcher)


def test_a_gguf_file_of_ones_own_is_converted_under_its_hash_and_stays(make: Make, store: Store, watcher: Any) -> None:
    gguf = make("qwen2").write(store.root.parent / "My Model.Q8.gguf")
    place = store.adopt(gguf, watcher)
    assert place.name.startswith("my-model.q8-")
    assert check(place) == store.adopt(gguf, watcher)
    assert gguf.exists()
    assert watcher.labels == ["checking", "converting", "checking"]
    assert len(digest(place)) == 64

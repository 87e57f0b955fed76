"""Which adapter a model is used with: the one that is asked for, else the one of its name."""

from pathlib import Path

import pytest

from reasoner.errors import ModelError
from reasoner.models.adapter import HEADS, MANIFEST, Adapter, read, write
from reasoner.models.adapters import SHIPPED, find, keep, kept, names
from reasoner.models.registry import entries


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REASONER_HOME", str(tmp_path))
    return tmp_path


def put(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text("{}")
    return folder


def test_a_model_is_used_with_the_adapter_of_its_name_unless_the_base_is_asked_for() -> None:
    own = put(kept() / "some-model")
    assert find("", "some-model") == own and find("base", "some-model") is None
    assert find("", "another") is None


def test_one_is_found_by_its_name_or_its_path(tmp_path: Path) -> None:
    second = put(kept() / "second")
    assert find("second", "some-model") == second and "second" in names()
    assert find(str(second), "some-model") == second
    with pytest.raises(ModelError, match=r"no adapter is called 'third': choose one of base, .*second"):
        find("third", "some-model")
    with pytest.raises(ModelError, match=r"holds no adapter \(adapter.json is missing\)"):
        find(str(tmp_path), "some-model")


def test_what_is_kept_takes_the_place_of_an_earlier_one_and_leaves_the_training_behind(tmp_path: Path) -> None:
    put(kept() / "some-model")
    held = tmp_path / "taught-1"
    write(held, Adapter("some-model", "digest", 8, 16, ("q_proj",)), {"adapter_model.safetensors": b"weights"})
    for name in ("work/state.pt", f"{HEADS}/outcome.safetensors"):
        (held / name).parent.mkdir(exist_ok=True)
        (held / name).write_bytes(b"x")
    assert keep(held, "some-model") == find("", "some-model")
    found = {
        str(path.relative_to(kept() / "some-model")) for path in (kept() / "some-model").rglob("*") if path.is_file()
    }
    assert found == {MANIFEST, "adapter_model.safetensors", f"{HEADS}/outcome.safetensors"}
    assert "some-model" in names()


def test_what_is_shipped_is_whole_small_and_made_for_a_model_of_the_registry() -> None:
    shipped = sorted(SHIPPED.iterdir())
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*")) < 10e6
    models = {entry.name for entry in entries()}
    assert shipped and all(read(place).base in models for place in shipped)

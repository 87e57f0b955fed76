"""What the package offers, and what a name may be."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reasoner import models
from reasoner.errors import ModelError

Make = Callable[[str], Any]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REASONER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_public_names_are_these() -> None:
    assert models.__all__ == ["Entry", "Listed", "Progress", "default", "digest", "listing", "path", "pull", "resolve"]


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'httpx', 'transformers', 'rich'}"
    program = f"import sys, reasoner.models as m; m.listing(); print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_an_empty_store_lists_every_model_as_absent_and_makes_nothing(home: Path) -> None:
    assert {(listed.state, listed.bytes) for listed in models.listing()} == {("absent", 0)}
    assert not home.exists()


def test_the_path_of_a_model_that_is_not_here_is_an_error_with_the_remedy(home: Path) -> None:
    with pytest.raises(ModelError, match=r"is not in .* yet: run `reasoner models pull smollm2-135m-instruct`"):
        models.path("smollm2")


def test_the_store_follows_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REASONER_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert models.listing()[0].path == tmp_path / "reasoner" / "models" / models.default()


def test_a_gguf_file_and_a_directory_are_models(make: Make, tmp_path: Path, home: Path) -> None:
    made = models.resolve(str(make("llama").write(tmp_path / "mine.gguf")))
    assert made.parent == home / "models"
    assert models.resolve(str(made)) == made


def test_an_unknown_name_says_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"no model is called 'smolm2'.*did you mean smollm2\?"):
        models.resolve("smolm2")


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "missing.gguf"])
def test_a_path_that_does_not_exist_says_so(name: str) -> None:
    with pytest.raises(ModelError, match="does not exist: give the path"):
        models.resolve(name)


def test_a_file_that_is_no_model_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ModelError, match="neither a GGUF file nor a model directory"):
        models.resolve(str(tmp_path / "notes.txt"))


def test_an_incomplete_directory_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        models.resolve(str(tmp_path))

"""Any Hugging Face model directory is a model, if it is complete."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from reasoner.errors import ModelError
from reasoner.models.directory import check, digest


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "tokenizer.json").write_text("{}")
    save_file({"a": np.ones(3), "b": np.zeros((2, 2))}, tmp_path / "model.safetensors")
    return tmp_path


def shard(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    for n in (1, 2):
        save_file({f"t{n}": np.ones(n)}, directory / f"model-{n}.safetensors")
    index = {"weight_map": {"t1": "model-1.safetensors", "t2": "model-2.safetensors"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))


def test_a_complete_directory_passes(directory: Path) -> None:
    assert check(directory) == directory


def test_a_complete_directory_of_shards_passes(directory: Path) -> None:
    shard(directory)
    assert check(directory) == directory


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_missing_or_broken_file_is_named(name: str, directory: Path) -> None:
    for content in ("{", "[]"):
        (directory / name).write_text(content)
        with pytest.raises(ModelError, match=name):
            check(directory)
    (directory / name).unlink()
    with pytest.raises(ModelError, match=f"holds no {name}, so .*: point at a complete"):
        check(directory)


def test_a_config_of_something_else_is_refused(directory: Path) -> None:
    (directory / "config.json").write_text('{"name": "x"}')
    with pytest.raises(ModelError, match="names no model_type"):
        check(directory)


def test_missing_weights_are_told_and_pickles_refused(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"holds no weights \(no \*\.safetensors\)"):
        check(directory)
    (directory / "pytorch_model.bin").touch()
    with pytest.raises(ModelError, match=r"only pytorch_model\.bin, a pickle, which can run code"):
        check(directory)


def test_a_missing_shard_is_named(directory: Path) -> None:
    shard(directory)
    (directory / "model-2.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model-2\.safetensors is missing"):
        check(directory)


@pytest.mark.parametrize("keep", [0, 4, 20, -1])
def test_weights_that_are_cut_short_are_named(keep: int, directory: Path) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"model\.safetensors is cut short"):
        check(directory)


def test_the_digest_follows_the_weights_and_not_the_place(
    directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = digest(directory)
    moved = tmp_path_factory.mktemp("other") / "model"
    directory.rename(moved)
    assert digest(moved) == first
    save_file({"a": np.zeros(3)}, moved / "model.safetensors")
    assert digest(moved) != first

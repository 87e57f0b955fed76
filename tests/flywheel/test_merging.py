from pathlib import Path

import pytest
import torch
import transformers

from reasoner.dialect.tokenizer import HubTokenizer
from reasoner.errors import ModelError
from reasoner.flywheel import saving, student
from reasoner.flywheel.merging import merge
from reasoner.flywheel.student import Low, Student
from reasoner.flywheel.tries import laid, trie
from tests.flywheel.conftest import Tiny


def trained(of: Tiny) -> Student:
    """A student whose every trained number is something."""
    one = student.load(of.directory, of.controls, of.like, Low(rank=4, alpha=8), dtype="float32", device="cpu")
    with torch.no_grad():
        for parameter in one.trainable().values():
            parameter.add_(torch.randn(parameter.shape) * 0.05)
    return one


@pytest.mark.parametrize("which", ["tiny", "untied"])
def test_a_merged_model_says_what_the_adapter_says(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    of: Tiny = request.getfixturevalue(which)
    one = trained(of)
    saving.write(one, of.directory, tmp_path / "adapter", {})
    merge(of.directory, tmp_path / "adapter", tmp_path / "merged")
    ids = [256, *b"do it", of.controls["<|act|>"], *b"x", of.controls["<|end|>"], 65]
    with torch.inference_mode():
        whole = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
        there = whole(torch.tensor([ids])).logits[0].log_softmax(-1)
        here = one.logits(one.hidden(laid([trie([ids])]))[0]).log_softmax(-1)
    assert (there - here).abs().max() < 0.2
    assert (there.argmax(-1) == here.argmax(-1)).float().mean() > 0.8


def test_a_merged_tokenizer_knows_the_control_tokens(tiny: Tiny, tmp_path: Path) -> None:
    saving.write(trained(tiny), tiny.directory, tmp_path / "adapter", {})
    merge(tiny.directory, tmp_path / "adapter", tmp_path / "merged")
    assert HubTokenizer(tmp_path / "merged").controls.items() >= tiny.controls.items()
    with_hub = transformers.AutoTokenizer.from_pretrained(tmp_path / "merged")
    assert with_hub.convert_tokens_to_ids("<|act|>") == tiny.controls["<|act|>"]
    assert with_hub("a<|act|>").input_ids[-1] == tiny.controls["<|act|>"]


def test_a_place_that_is_taken_and_an_adapter_of_another_core_are_refused(
    tiny: Tiny, untied: Tiny, tmp_path: Path
) -> None:
    saving.write(trained(tiny), tiny.directory, tmp_path / "adapter", {})
    with pytest.raises(ModelError, match="is there already"):
        merge(tiny.directory, tmp_path / "adapter", tmp_path)
    with pytest.raises(ModelError, match="was trained on"):
        merge(untied.directory, tmp_path / "adapter", tmp_path / "merged")

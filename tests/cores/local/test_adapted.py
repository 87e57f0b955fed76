"""A core with an adapter gives the tokens that peft gives, and takes no adapter that is damaged or another model's."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import save

from reasoner.completions import Sampling
from reasoner.cores.local import LocalCore
from reasoner.dialect.control import NAMES, Controls, rows, token
from reasoner.dialect.tokenizer import HubTokenizer
from reasoner.errors import ModelError
from reasoner.models import adapter
from reasoner.models.adapter import Adapter
from reasoner.models.directory import digest

from .conftest import WORDS, Tiny

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
FIRST = WORDS - 4
"""Four of the control tokens rename rows, three lie beyond them."""
CONTROLS = {token(name): FIRST + i for i, name in enumerate(NAMES)}
PROMPT = [(7 * i) % 256 for i in range(20)]


def adapted(base: Path, model: Any, into: Path, controls: dict[str, int], targets: Sequence[str]) -> Any:
    """Write a random adapter of `model` to `into`; peft's own model of it, control rows put in."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(9)
    low = peft.LoraConfig(r=4, lora_alpha=6, target_modules=list(targets), init_lora_weights=False)
    made = peft.get_peft_model(model, low)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.05)
    files = {adapter.MATRICES: save({k: v.contiguous() for k, v in peft.get_peft_model_state_dict(made).items()})}
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    spread = float(model.get_input_embeddings().weight.std())
    own = {"embedding": torch.randn(len(controls), model.config.hidden_size) * spread}
    own |= {} if tied else {"output": torch.randn(len(controls), model.config.hidden_size) * spread}
    files[adapter.ROWS] = save(own)
    adapter.write(into, Adapter("tiny", digest(base), 4, 6, tuple(targets), controls), files)
    put_rows(model, controls, own)
    return made


def put_rows(model: Any, controls: dict[str, int], own: dict[str, torch.Tensor]) -> None:
    ids = list(controls.values())
    if max(ids) >= len(model.get_input_embeddings().weight):
        model.resize_token_embeddings(max(ids) + 1, mean_resizing=False)
    with torch.no_grad():
        model.get_input_embeddings().weight[ids] = own["embedding"].to(model.dtype)
        model.get_output_embeddings().weight[ids] = own.get("output", own["embedding"]).to(model.dtype)


def logprobs(model: Any, prefix: Sequence[int], continuation: Sequence[int], words: int) -> list[float]:
    with torch.inference_mode():
        logits = model(torch.tensor([[*prefix, *continuation]])).logits[0, len(prefix) - 1 : -1, :words]
    table = logits.float().log_softmax(-1)
    return [float(table[at, i]) for at, i in enumerate(continuation)]


@pytest.mark.parametrize("name", ["tiny", "llama", "gemma"])
async def test_an_adapter_is_merged_to_what_peft_computes(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    tiny = request.getfixturevalue(name)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny.directory, dtype=torch.float32).eval()
    theirs = adapted(tiny.directory, model, tmp_path / "one", CONTROLS, ["q_proj", "v_proj", "down_proj"])
    core = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=2**22, adapter=tmp_path / "one")
    base = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=2**22)
    said = [*CONTROLS.values(), *PROMPT[:5]]
    assert (await core.score(PROMPT, said)).logprobs == pytest.approx(
        logprobs(theirs, PROMPT, said, FIRST + 7), abs=1e-4
    )
    theirs, ours = [(await one.score(PROMPT, PROMPT)).logprobs for one in (base, core)]
    assert theirs != pytest.approx(ours, abs=1e-2)
    done = await core.complete(PROMPT, Sampling(only=tuple(CONTROLS.values()), max_tokens=1))
    assert done.ids[0] in CONTROLS.values() and done.text == ""
    assert core.info.name == f"{tiny.directory.name}+one" and core.info.digest != base.info.digest
    await core.close()
    await base.close()


async def test_an_adapter_named_like_its_model_is_called_taught(tiny: Tiny, tmp_path: Path) -> None:
    held = tmp_path / tiny.directory.name
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny.directory, dtype=torch.float32).eval()
    adapted(tiny.directory, model, held, CONTROLS, ["q_proj"])
    core = LocalCore(tiny.directory, dtype="float32", device="cpu", kv_bytes=2**22, adapter=held)
    assert core.info.name == f"{tiny.directory.name}+taught"
    await core.close()


@pytest.mark.model
async def test_so_is_one_of_a_real_model_and_its_tokenizer_knows_the_tokens(smollm2: Path, tmp_path: Path) -> None:
    controls = rows(HubTokenizer(smollm2)).named()
    model = transformers.AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32).eval()
    theirs = adapted(smollm2, model, tmp_path / "one", controls, ["q_proj", "o_proj", "gate_proj"])
    core = LocalCore(smollm2, dtype="float32", device="cpu", kv_bytes=2**26, adapter=tmp_path / "one")
    found = Controls.of(core.tokenizer)
    assert found and found.named() == controls and core.tokenizer.vocabulary == 49_159
    assert core.tokenizer.decode(core.tokenizer.encode("a<|think|>b")) == "a<|think|>b"
    said = [found.think, *core.tokenizer.encode("Two and two."), found.answer, 5, found.end]
    expected = logprobs(theirs, PROMPT, said, 49_159)
    assert (await core.score(PROMPT, said)).logprobs == pytest.approx(expected, abs=2e-3)
    await core.close()


def test_a_spare_row_that_is_renamed_loses_its_name(tiny: Tiny) -> None:
    tokenizer = HubTokenizer(tiny.directory, {"<|think|>": 256, "<|act|>": 400})
    assert tokenizer.controls == {"<|think|>": 256, "<|act|>": 400, "<|end|>": 257}
    assert tokenizer.vocabulary == 401


def write(tiny: Tiny, into: Path, **changes: Any) -> Path:
    low = {f"{adapter.PREFIX}model.layers.0.self_attn.q_proj.lora_{s}.weight": torch.ones(4, 4) for s in "AB"}
    said = {"base": "tiny", "base_digest": digest(tiny.directory), "rank": 4, "alpha": 4, "targets": ("q_proj",)}
    files = {adapter.MATRICES: save(changes.get("low", low))}
    adapter.write(into, Adapter(**{**said, **changes.get("said", {})}), files)
    return into


def test_an_adapter_of_another_core_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    other = write(tiny, tmp_path / "other", said={"base": "big", "base_digest": "0" * 64})
    with pytest.raises(ModelError, match=r"other was trained on big .* not on this model .*: use it with --model big"):
        LocalCore(tiny.directory, adapter=other)


def test_a_damaged_adapter_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    held = write(tiny, tmp_path / "one")
    (held / adapter.MATRICES).write_bytes(b"x")
    with pytest.raises(ModelError, match="is not what was trained"):
        LocalCore(tiny.directory, adapter=held)
    (held / adapter.MANIFEST).write_text(json.dumps({"version": 1}))
    with pytest.raises(ModelError, match="cannot be read"):
        LocalCore(tiny.directory, adapter=held)
    with pytest.raises(ModelError, match="is no adapter"):
        LocalCore(tiny.directory, adapter=tmp_path)


def test_an_adapter_of_modules_that_are_not_there_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    strange = {f"{adapter.PREFIX}model.layers.9.mixer.lora_{side}.weight": torch.ones(4, 4) for side in "AB"}
    with pytest.raises(ModelError, match=r"adapts model\.layers\.9\.mixer, which this model does not have"):
        LocalCore(tiny.directory, device="cpu", adapter=write(tiny, tmp_path / "one", low=strange))

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft.tuners import lora

from reasoner.errors import ConfigError, ModelError
from reasoner.flywheel import lowrank, saving, student
from reasoner.flywheel.batches import plan
from reasoner.flywheel.losses import Imitation, Preference, logprobs, reference
from reasoner.flywheel.rows import Pair, Row, Way
from reasoner.flywheel.student import Low, Student
from reasoner.flywheel.training import CURVE, Recipe, train
from reasoner.flywheel.tries import laid, trie
from reasoner.flywheel.vocabulary import like, speaking
from tests.flywheel.conftest import Tiny

LOW = Low(rank=4, alpha=8)
RECIPE = Recipe(rate=1e-2, rows_rate=1e-2, epochs=12, batch=4)


def pupil(of: Tiny, seed: int = 0) -> Student:
    return student.load(of.directory, of.controls, of.like, LOW, dtype="float32", device="cpu", seed=seed)


def examples(of: Tiny) -> list[Row]:
    """Text, a control token, text of another kind after it; rows of unlike length."""
    found = []
    for n in range(6):
        ids = (256, *f"task {n} is {'long ' * n}".encode(), of.controls["<|act|>"], *b"x=1", of.controls["<|end|>"])
        learnt = tuple(at >= len(ids) - 5 for at in range(len(ids)))
        found.append(Row(str(n), "solved", ids, learnt))
    return found


def learn(of: Tiny, folder: Path, **how: object) -> tuple[Student, float]:
    rows, one = examples(of), pupil(of)
    came = train(one, Imitation(rows), [len(r) for r in rows], RECIPE, folder, {"data": "d"}, **how)  # type: ignore[arg-type]
    return one, came.loss


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / CURVE).read_text().splitlines()]


def test_the_loss_falls_and_the_frozen_weights_stay(tiny: Tiny, tmp_path: Path) -> None:
    before = {name: p.clone() for name, p in pupil(tiny).model.named_parameters() if not p.requires_grad}
    one, last = learn(tiny, tmp_path)
    assert last < losses(tmp_path)[0] / 4
    assert all(torch.equal(p, before[n]) for n, p in one.model.named_parameters() if not p.requires_grad)
    assert not torch.equal(one.rows, pupil(tiny).rows)


def test_an_interrupted_training_ends_in_the_same_numbers(tiny: Tiny, tmp_path: Path) -> None:
    whole, _ = learn(tiny, tmp_path / "whole")
    asked = iter(range(100))
    train(pupil(tiny), Imitation(examples(tiny)), [len(r) for r in examples(tiny)], RECIPE, tmp_path / "cut",
          {"data": "d"}, stopping=lambda: next(asked) > 12)  # fmt: skip
    assert 0 < len(losses(tmp_path / "cut")) < len(losses(tmp_path / "whole"))
    again, _ = learn(tiny, tmp_path / "cut")
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    for name, parameter in whole.trainable().items():
        assert torch.equal(parameter, again.trainable()[name]), name


def test_a_folder_with_another_training_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    learn(tiny, tmp_path)
    rows = examples(tiny)
    with pytest.raises(ConfigError, match="another data"):
        train(pupil(tiny), Imitation(rows), [len(r) for r in rows], RECIPE, tmp_path, {"data": "other"})


def test_parts_that_fit_into_memory_change_nothing(tiny: Tiny) -> None:
    found = []
    for tokens in (10_000, 60):
        one = pupil(tiny)
        loss = Imitation(examples(tiny)).backward(one, range(6), tokens)
        assert one.rows.grad is not None
        found.append((loss, one.rows.grad))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-6)


def test_rows_of_one_task_read_as_one_give_the_losses_and_gradients_that_they_give_apart(tiny: Tiny) -> None:
    prompt, act, end = (256, *b"Double it."), tiny.controls["<|act|>"], tiny.controls["<|end|>"]
    texts = (act, *b"2*x", end), (act, *b"2+x", end), (tiny.controls["<|reflect|>"], *b"no", act, *b"2*x", end)
    rows = [
        Row(task, "solved", prompt + text, (False,) * len(prompt) + (True,) * len(text), weight)
        for task, weight in (("a", 0.5), ("b", 2.0))
        for text in texts
    ]
    found = []
    for given in (rows, [replace(row, task=str(n)) for n, row in enumerate(rows)]):
        one = pupil(tiny)
        loss = Imitation(given).backward(one, range(len(given)), 10_000)
        found.append((loss, [p.grad for p in one.trainable().values()]))
    (together, gradients), (apart, others) = found
    assert together == pytest.approx(apart, abs=1e-5)
    for one_way, other in zip(gradients, others, strict=True):
        assert one_way is not None and other is not None and torch.allclose(one_way, other, atol=1e-5)
    whole = trie([row.ids for row in rows[:3]])
    assert len(whole) < 0.6 * sum(map(len, rows[:3])), "the prompt is read once"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_adapted_layer_gives_what_pefts_own_gives_and_its_gradients(
    tiny: Tiny, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, found = examples(tiny)[:4], []
    for forward in (lowrank.Linear.forward, lora.Linear.forward):
        monkeypatch.setattr(lowrank.Linear, "forward", forward)
        one = student.load(tiny.directory, tiny.controls, tiny.like, LOW, dtype=dtype, device="cpu")
        trained = one.trainable()
        for name, parameter in trained.items():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(len(name)))
        loss = Imitation(rows).backward(one, range(len(rows)), 2048)
        found.append((loss, {name: parameter.grad for name, parameter in trained.items()}))
    (loss, ours), (other, theirs) = found
    close = 1e-5 if dtype == "float32" else 0.1
    assert loss == pytest.approx(other, rel=close)
    for name, gradient in theirs.items():
        assert gradient is not None and gradient.norm() > 0, name
        assert (ours[name] - gradient).norm() < close * gradient.norm(), name


def test_contexts_read_as_one_have_the_states_that_the_model_gives_each_alone(tiny: Tiny) -> None:
    one, contexts = pupil(tiny), [[*b"a task: yes"], [*b"a task: no"], [*b"a task"], [*b"other"]]
    tries = [trie(contexts[:3]), trie(contexts[3:])]
    with torch.inference_mode():
        together = one.hidden(laid(tries))
        for row, which, context in ((0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 0, 3)):
            alone = one.network(torch.tensor([contexts[context]])).last_hidden_state[0]
            assert torch.allclose(together[row, list(tries[row].places[which])], alone, atol=1e-5)


def test_rows_of_one_task_are_learnt_in_one_step() -> None:
    tasks = [str(n // 3) for n in range(60)]
    steps = plan([10 + n % 7 for n in range(60)], 8, 2, 0, tasks)
    assert sorted(i for step in steps for i in step) == sorted([*range(60)] * 2)
    assert all(8 <= len(step) <= 10 or len(step) < 8 for step in steps) and {len(step) for step in steps} >= {9}
    for step in steps:
        assert all(sum(tasks[i] == task for i in step) == 3 for task in {tasks[i] for i in step})


def test_what_is_not_learnt_changes_no_gradient(tiny: Tiny) -> None:
    row = examples(tiny)[0]
    one = pupil(tiny)
    assert len(logprobs(one, [[Way(row.ids, row.learnt)]])[0][0]) == 5
    nothing = Row("t", "solved", row.ids, (False,) * len(row.ids))
    assert logprobs(one, [[Way(nothing.ids, nothing.learnt)]])[0][0].numel() == 0


def test_a_pair_makes_the_chosen_way_likelier_than_the_other(tiny: Tiny, tmp_path: Path) -> None:
    prompt = (256, *b"which?")
    pairs = [Pair("t", prompt, Way((*b"good",), (True,) * 4), Way((*b"evil",), (True,) * 4))]
    one = pupil(tiny)
    before = [reference(one, pair) for pair in pairs]
    train(one, Preference(pairs, before), [len(p) for p in pairs], Recipe(rate=5e-3, epochs=20, batch=1), tmp_path, {})
    chosen, rejected = reference(one, pairs[0])
    assert chosen > before[0][0] and chosen - rejected > before[0][0] - before[0][1] + 1


def test_rows_of_an_untied_output_matrix_are_trained_too(untied: Tiny, tmp_path: Path) -> None:
    one, _ = learn(untied, tmp_path)
    assert not one.tied
    assert not torch.equal(one.output_rows, pupil(untied).output_rows)


def test_rows_begin_apart(tiny: Tiny) -> None:
    rows = pupil(tiny).rows.detach()
    assert torch.cdist(rows, rows).fill_diagonal_(1.0).min() > 0.01


def test_an_act_begins_as_a_fence_and_ends_between_a_fence_and_the_end_of_a_turn(tiny: Tiny) -> None:
    words = like(speaking(tiny.directory))
    assert words["<|act|>"] == [*b"```"] and words["<|end|>"] == [*b"```", 257]


def test_an_adapter_comes_back_as_it_was_saved(tiny: Tiny, tmp_path: Path) -> None:
    one, _ = learn(tiny, tmp_path / "work")
    saved = saving.write(one, tiny.directory, tmp_path / "adapter", {"parent": None})
    again = saving.restore(tiny.directory, tmp_path / "adapter", tiny.like, dtype="float32", device="cpu")
    assert torch.equal(again.rows, one.rows)
    way = [[Way(examples(tiny)[0].ids, examples(tiny)[0].learnt)]]
    assert torch.allclose(logprobs(again, way)[0][0], logprobs(one, way)[0][0], atol=0.05)
    assert saved.controls == dict(tiny.controls)


def test_an_adapter_of_another_core_is_refused(tiny: Tiny, untied: Tiny, tmp_path: Path) -> None:
    saving.write(pupil(tiny), tiny.directory, tmp_path, {})
    with pytest.raises(ModelError, match="was trained on"):
        saving.restore(untied.directory, tmp_path, tiny.like)


def test_a_damaged_adapter_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    saving.write(pupil(tiny), tiny.directory, tmp_path, {})
    file = tmp_path / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(ModelError, match="is not what was trained"):
        saving.restore(tiny.directory, tmp_path, tiny.like)

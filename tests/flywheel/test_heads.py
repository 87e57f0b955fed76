from pathlib import Path

import numpy as np
import pytest
import torch

from reasoner.cores.local.heads import load_head
from reasoner.errors import ConfigError, TraceError
from reasoner.flywheel import heads, student
from reasoner.flywheel.rows import Judged, Mark
from reasoner.flywheel.student import Low
from tests.flywheel.conftest import Tiny


def rows(count: int) -> list[Judged]:
    """Right is what ends with a."""
    return [
        Judged(str(n), (256, *f"task {n * 7} ".encode(), 97 + n % 2), (Mark(1, 0.5), _end(n))) for n in range(count)
    ]


def _end(n: int) -> Mark:
    return Mark(len(f"task {n * 7} ") + 2, float(n % 2 == 0), 3)


def test_a_head_is_fitted_and_read_as_the_core_reads_it(tiny: Tiny, tmp_path: Path) -> None:
    one = student.load(tiny.directory, tiny.controls, tiny.like, Low(rank=2), dtype="float32", device="cpu")
    given = [Judged(row.task, row.ids, row.marks[1:]) for row in rows(40)]
    found = heads.states(one, given, tmp_path / "states.safetensors")
    head = heads.fit(heads.places(given, found))
    assert head.auroc > 0.95
    heads.write(head, tmp_path / "heads" / "outcome.safetensors")
    judge = load_head(tmp_path, "outcome")
    assert judge(found[0]) > 0.5 > judge(found[1])


def test_states_are_kept_and_gone_on_with(tiny: Tiny, tmp_path: Path) -> None:
    one = student.load(tiny.directory, tiny.controls, tiny.like, Low(rank=2), dtype="float32", device="cpu")
    cache, given = tmp_path / "states.safetensors", rows(6)
    part = heads.states(one, given[:4], cache)
    whole = heads.states(one, given, cache)
    assert torch.equal(whole[:8], part) and whole.shape == (12, 48)
    with pytest.raises(TraceError, match="of other rows"):
        heads.states(one, given[:3], cache)


def test_states_of_one_tasks_rows_are_those_that_each_has_alone(tiny: Tiny, tmp_path: Path) -> None:
    one = student.load(tiny.directory, tiny.controls, tiny.like, Low(rank=2), dtype="float32", device="cpu")
    given = [
        Judged("t", (256, *b"the same prompt: ", *text), (Mark(9, 0.5), Mark(20, 1.0))) for text in (b"yes", b"noo")
    ]
    together = heads.states(one, given, tmp_path / "together.safetensors")
    alone = [heads.states(one, [row], tmp_path / f"{row.ids[-1]}.safetensors") for row in given]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_labels_that_are_all_alike_are_refused() -> None:
    same = heads.Places(torch.randn(9, 4), torch.ones(9), torch.ones(9), tuple(map(str, range(9))))
    with pytest.raises(ConfigError, match="right and wrong ends"):
        heads.fit(same)


def test_a_place_that_many_ends_were_seen_from_weighs_more() -> None:
    few, many = Judged("a", (1,), (Mark(1, 1.0, 1),)), Judged("b", (1,), (Mark(1, 1.0, 30),))
    weights = heads.places([few, many], torch.zeros(2, 3)).weights
    assert weights[1] > 5 * weights[0]


def test_auroc_halves_ties() -> None:
    assert heads.auroc(np.array([1, 2, 3, 3], np.float32), np.array([0, 0, 1, 1], np.float32)) == 1.0
    assert heads.auroc(np.array([1, 1], np.float32), np.array([0, 1], np.float32)) == 0.5


def test_a_model_without_control_tokens_is_read_like_one_with_them(tiny: Tiny, tmp_path: Path) -> None:
    given = rows(3)
    taught, plain = (
        student.load(tiny.directory, *more, Low(rank=2), dtype="float32", device="cpu")
        for more in ((tiny.controls, tiny.like), ({}, {}))
    )
    first, second = (heads.states(one, given, tmp_path / f"{len(one.controls)}.st") for one in (taught, plain))
    assert torch.allclose(first, second)

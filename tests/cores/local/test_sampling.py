"""Sampling draws from the distribution it says, and each filter keeps what it says."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.completions import Sampling
from reasoner.cores.local.sampling import Draw, Sampler, Samplers

LOGITS = np.random.default_rng(0).normal(0, 2, (1, 3000)).astype(np.float32)


def draw(logits: np.ndarray, samplings: list[Sampling], uniforms: list[float]) -> list[Draw | None]:
    sampler = Sampler(logits.shape[1])
    return [sampler.draw(*one) for one in zip(torch.from_numpy(logits), samplings, uniforms, strict=True)]


def softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    return weights / weights.sum()


def kept(probabilities: np.ndarray, sampling: Sampling) -> np.ndarray:
    """The filters as they are written down: sort everything, cut, renormalise."""
    order = np.argsort(-probabilities, kind="stable")
    mask = np.zeros(len(order), dtype=bool)
    mask[order[: sampling.top_k or len(order)]] = True
    left = np.where(mask, probabilities, 0)
    left /= left.sum()
    before = np.cumsum(left[order]) - left[order]
    nucleus = np.zeros(len(order), dtype=bool)
    nucleus[order[before < sampling.top_p]] = True
    mask &= nucleus & (probabilities >= sampling.min_p * probabilities.max())
    return np.where(mask, probabilities, 0) / probabilities[mask].sum()


@settings(max_examples=150, deadline=None)
@given(
    st.builds(
        Sampling,
        temperature=st.sampled_from([0.3, 0.8, 1.0, 1.7, 20.0]),
        top_p=st.sampled_from([0.1, 0.5, 0.95, 0.999999, 1.0]),
        top_k=st.sampled_from([0, 1, 5, 2999, 3000, 10**6]),
        min_p=st.sampled_from([0.0, 1e-9, 0.05, 1.0]),
    ),
    st.floats(0, 1, exclude_max=True),
)
def test_a_uniform_number_reads_a_token_off_the_filtered_distribution(sampling: Sampling, uniform: float) -> None:
    expected = kept(softmax(LOGITS[0], sampling.temperature), sampling)
    (got,) = draw(LOGITS, [sampling], [uniform])
    assert got is not None
    running = np.concatenate(([0.0], np.cumsum(expected)))
    assert running[got.id] - 1e-4 <= uniform <= running[got.id + 1] + 1e-4
    assert expected[got.id] > 0 or math.isclose(sampling.top_p, 1, abs_tol=1e-5)
    assert got.logprob == pytest.approx(math.log(softmax(LOGITS[0], 1.0)[got.id]), abs=1e-5)


def test_greedy_takes_the_greatest_and_a_freezing_temperature_does_too() -> None:
    best = int(LOGITS[0].argmax())
    assert [d and d.id for d in draw(LOGITS, [Sampling()], [0.5])] == [best]
    assert [d and d.id for d in draw(LOGITS, [Sampling(temperature=1e-30)], [0.999])] == [best]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_without_a_finite_distribution_draws_nothing_and_its_neighbour_does(value: float) -> None:
    rows = np.concatenate((LOGITS, LOGITS))
    rows[0, 17] = value
    broken, whole = draw(rows, [Sampling(), Sampling()], [0.1, 0.1])
    assert broken is None
    assert whole is not None


def test_the_first_token_is_none_of_those_it_must_not_be_and_keeps_its_own_log_probability() -> None:
    row, order = torch.from_numpy(LOGITS[0]), np.argsort(-LOGITS[0])
    banned = Sampling(without=tuple(int(i) for i in order[:2]))
    greedy = Sampler(3000).draw(row, banned, 0.5, first=True)
    assert greedy is not None and greedy.id == order[2]
    assert math.isclose(greedy.logprob, math.log(softmax(LOGITS[0], 1.0)[order[2]]), rel_tol=1e-4)
    later = Sampler(3000).draw(row, banned, 0.5)
    assert later is not None and later.id == order[0]


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 2999), min_size=1), st.sampled_from([0.0, 0.8]), st.floats(0, 1, exclude_max=True))
def test_no_token_is_one_that_is_never_drawn(banned: set[int], temperature: float, uniform: float) -> None:
    row, drawn = torch.from_numpy(LOGITS[0]), softmax(LOGITS[0], 1.0)
    never = Sampler(3000).draw(row, Sampling(temperature, never=tuple(banned)), uniform)
    assert never is not None and never.id not in banned
    assert never.logprob == pytest.approx(math.log(drawn[never.id]), abs=1e-4)
    only = Sampler(3000).draw(row, Sampling(temperature, only=tuple(banned)), uniform, first=True)
    assert only is not None and only.id in banned
    assert only.logprob == pytest.approx(math.log(drawn[only.id]), abs=1e-4)
    if not temperature:
        assert only.id == max(banned, key=lambda i: LOGITS[0][i])


def test_a_token_far_below_the_banned_ones_is_drawn_all_the_same() -> None:
    found = Sampler(3).draw(torch.tensor([100.0, 90.0, 0.0]), Sampling(temperature=1.0, never=(0, 1)), 0.5)
    assert found is not None and found.id == 2


def test_where_there_is_no_other_token_the_only_one_is_drawn() -> None:
    row = torch.tensor([100.0, 0.0, 0.0])
    found = Sampler(3).draw(row, Sampling(temperature=1.0, without=(0,)), 0.5, first=True)
    assert found is not None and found.id == 0


@pytest.mark.parametrize("threads", [1, 3])
def test_rows_side_by_side_draw_what_each_draws_alone(threads: int) -> None:
    rows = torch.randn(11, 3000, generator=torch.Generator().manual_seed(4)).bfloat16() * 4
    asked = [(row, 0.07 + 0.08 * at) for at, row in enumerate(rows)]

    def draw(sampler: Sampler, one: tuple[torch.Tensor, float]) -> Draw | None:
        return sampler.draw(one[0], Sampling(temperature=0.8), one[1])

    samplers = Samplers(3000, threads)
    found = samplers.each(draw, asked)
    samplers.close()
    assert found == [draw(Sampler(3000), one) for one in asked]


def test_a_sampler_that_fails_says_so_from_its_thread() -> None:
    samplers = Samplers(3000, 2)

    def fail(sampler: Sampler, row: int) -> int:
        raise ValueError(f"row {row}")

    with pytest.raises(ValueError, match="row"):
        samplers.each(fail, list(range(8)))
    samplers.close()

"""Every form of a matrix multiplies as the plain one does."""

import pytest
import torch

from reasoner.cores.local.linear import Linear, Quartered, make_linear

WEIGHT = (torch.randn(96, 64, generator=torch.Generator().manual_seed(0)) * 0.1).bfloat16()
BIAS = torch.linspace(-1, 1, 96).bfloat16()


def exact(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return x.float() @ weight.float().T + BIAS.float()


def rows(count: int) -> torch.Tensor:
    return torch.randn(count, 64, generator=torch.Generator().manual_seed(count)).bfloat16()


@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("quartered", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_result_is_near_the_exact_one(count: int, quartered: bool, dtype: torch.dtype) -> None:
    linear: Linear = make_linear(WEIGHT.to(dtype), BIAS.to(dtype), quartered=quartered)
    x = rows(count)
    away = (linear(x).float() - exact(WEIGHT, x)).norm() / exact(WEIGHT, x).norm()
    assert away < (0.1 if quartered else 0.01)


def test_few_rows_and_many_see_the_same_four_bit_weights() -> None:
    linear = Quartered(WEIGHT, BIAS)
    x = rows(40)
    one_by_one = torch.cat([linear(row[None]) for row in x])
    assert torch.allclose(one_by_one.float(), linear(x).float(), atol=0.02)
    assert not torch.allclose(linear(x).float(), exact(WEIGHT, x), atol=0.02)


def test_weights_that_lie_on_a_grid_of_sixteen_are_kept_exactly() -> None:
    grid = torch.arange(16).repeat(96, 4)
    weight = ((grid - 8) * 0.125).bfloat16()
    x = rows(2)
    assert torch.allclose(Quartered(weight)(x).float(), x.float() @ weight.float().T, atol=0.05)

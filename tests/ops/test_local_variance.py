import pytest
import torch
from torch.nn import functional as F

from tinynets.ops import local_variance


@pytest.fixture
def reference(by_window):
    return lambda x, kernel_size=3: by_window(lambda _, window: window.var(dim=2, correction=0), x, kernel_size)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (2, 3), (7, 5)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_equals_the_window_by_window_variance(size, kernel_size, reference):
    x = torch.randn(2, 3, *size)
    torch.testing.assert_close(local_variance(x, kernel_size).double(), reference(x, kernel_size), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_accumulated_in_fp32(dtype, reference):
    x = (torch.randn(2, 3, 6, 6) + 8).to(dtype)
    out = local_variance(x)
    assert out.dtype == dtype
    torch.testing.assert_close(out.double(), reference(x), rtol=2 * torch.finfo(dtype).eps, atol=1e-6)


@pytest.mark.parametrize("form", [local_variance, torch.compile(local_variance, backend="eager")])
def test_a_large_offset_does_not_cancel(reference, form):
    x = torch.randn(2, 3, 9, 9) + 1000
    torch.testing.assert_close(form(x).double(), reference(x), rtol=1e-4, atol=1e-6)
    naive = F.avg_pool2d(x * x, 3, 1) - F.avg_pool2d(x, 3, 1) ** 2
    assert (naive - reference(x)[:, :, 1:-1, 1:-1]).abs().max() > 0.05  # the textbook formula cancels


@pytest.mark.parametrize("edge", [10, 1e4])
def test_an_edge_costs_a_part_in_a_million_of_its_square(reference, edge):
    x = torch.randn(1, 1, 8, 12) * 0.1
    x[..., 6:] += edge
    torch.testing.assert_close(local_variance(x).double(), reference(x), rtol=1e-5, atol=1e-6 * (edge / 2) ** 2)
    plain = torch.func.vmap(local_variance)(x[None])[0]  # the plain formula, as in exported programs
    torch.testing.assert_close(plain.double(), reference(x), rtol=1e-3, atol=1e-6)


def test_is_never_negative_and_zero_on_constants():
    assert (local_variance(torch.full((1, 2, 5, 5), 1234.567)) == 0).all()
    assert (local_variance(torch.randn(4, 8, 9, 9) * 1e-3 + 100) >= 0).all()


def test_any_layout_and_empty_batches():
    x = torch.randn(2, 6, 5, 7)
    expected = local_variance(x)
    torch.testing.assert_close(local_variance(x.to(memory_format=torch.channels_last)), expected)
    torch.testing.assert_close(local_variance(x.transpose(2, 3)).transpose(2, 3), expected, rtol=1e-5, atol=1e-6)
    assert local_variance(x[:0]).shape == (0, 6, 5, 7)


def test_gradient():
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(local_variance, (x,))

import pytest
import torch

from tinynets.ops import divisive_norm


@pytest.fixture
def reference(by_window):
    return lambda x, kernel_size=3: by_window(lambda pixel, w: pixel / (1e-3 + w.abs().mean(dim=2)), x, kernel_size)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (2, 3), (7, 5)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_equals_the_window_by_window_form(size, kernel_size, reference):
    x = torch.randn(2, 3, *size)
    torch.testing.assert_close(divisive_norm(x, kernel_size).double(), reference(x, kernel_size), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_accumulated_in_fp32(dtype, reference):
    x = torch.randn(2, 3, 6, 6).to(dtype)
    out = divisive_norm(x)
    assert out.dtype == dtype
    torch.testing.assert_close(out.double(), reference(x), rtol=2 * torch.finfo(dtype).eps, atol=1e-6)


def test_zeros_stay_zero():
    assert (divisive_norm(torch.zeros(1, 2, 4, 4)) == 0).all()


def test_empty_batch():
    assert divisive_norm(torch.zeros(0, 2, 4, 4)).shape == (0, 2, 4, 4)


def test_gradient():
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(divisive_norm, (x,))

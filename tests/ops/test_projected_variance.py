import pytest
import torch
from torch.nn import functional as F

from tinynets.ops import local_variance, projected_variance


@pytest.fixture(params=[0, 1 << 17], ids=["large", "small"], autouse=True)
def _largest_small_input(request, every_input_counts_as_large, monkeypatch):
    monkeypatch.setattr("tinynets.ops._box_filter._SMALL", request.param)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (2, 3), (7, 5)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_is_a_convolution_of_the_local_variance(size, kernel_size, memory_format):
    x = torch.randn(3, 4, *size).contiguous(memory_format=memory_format) * 2 + 5
    weight, bias = torch.randn(2, 4, 1, 1), torch.randn(2)
    expected = F.conv2d(local_variance(x.double(), kernel_size), weight.double(), bias.double())
    torch.testing.assert_close(
        projected_variance(x, weight, bias, kernel_size).double(), expected, rtol=1e-5, atol=1e-4
    )
    without = projected_variance(x, weight, None, kernel_size) + bias.view(1, -1, 1, 1)
    torch.testing.assert_close(without.double(), expected, rtol=1e-5, atol=1e-4)


def test_an_offset_does_not_cancel():
    x = torch.randn(2, 3, 9, 9) + 1000
    weight = torch.randn(2, 3, 1, 1)
    expected = F.conv2d(local_variance(x.double()), weight.double())
    torch.testing.assert_close(projected_variance(x, weight, None).double(), expected, rtol=1e-4, atol=1e-4)


def test_half_precision_does_not_overflow_before_the_variance_does():
    x = torch.randn(2, 3, 6, 6).half() * 120
    weight = torch.full((1, 3, 1, 1), 1 / 3).half()
    expected = F.conv2d(local_variance(x.double()), weight.double())
    y = projected_variance(x, weight, None)
    assert y.dtype == torch.float16
    torch.testing.assert_close(y.double(), expected, rtol=2e-3, atol=1)


def test_gradients_and_empty_batches():
    x = torch.randn(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    weight, bias = torch.randn(2, 3, 1, 1).double().requires_grad_(), torch.randn(2).double().requires_grad_()
    assert torch.autograd.gradcheck(projected_variance, (x, weight, bias))
    assert projected_variance(x[:0].detach(), weight.detach(), bias.detach()).shape == (0, 2, 4, 5)


def test_in_pieces_of_the_batch(monkeypatch):
    import importlib

    x, weight = torch.randn(5, 4, 6, 6), torch.randn(2, 4, 1, 1)
    expected = projected_variance(x, weight, None)
    module = importlib.import_module("tinynets.ops._projected_variance")
    monkeypatch.setattr(module, "pieces", lambda x: (slice(i, i + 2) for i in range(0, 5, 2)))
    torch.testing.assert_close(projected_variance(x, weight, None), expected)

import torch
from torch.nn import functional as F

from tinynets.ops import gated_dilated_conv2d


def inputs(size=(7, 5), dtype=torch.float32):
    x = torch.randn(2, 3, *size, dtype=dtype)
    gate = torch.randn(2, 3, *size, dtype=dtype).softmax(1)
    return x, torch.randn(3, 1, 3, 3, dtype=dtype), torch.randn(3, dtype=dtype), gate


def test_blends_the_dilations_of_one_kernel():
    x, weight, bias, gate = inputs()
    expected = bias.view(1, 3, 1, 1).expand_as(x).clone()
    for k, dilation in enumerate((1, 2, 4)):
        expected += gate[:, k : k + 1] * F.conv2d(x, weight, padding=dilation, dilation=dilation, groups=3)
    torch.testing.assert_close(gated_dilated_conv2d(x, weight, bias, gate, [1, 2, 4]), expected)


def test_a_one_hot_gate_is_one_convolution():
    x, weight, _, gate = inputs()
    gate = torch.zeros_like(gate)
    gate[:, 1] = 1
    expected = F.conv2d(x, weight, padding=2, dilation=2, groups=3)
    torch.testing.assert_close(gated_dilated_conv2d(x, weight, None, gate, [1, 2, 4]), expected)


def test_single_pixels_and_empty_batches():
    x, weight, bias, gate = inputs((1, 1))
    assert gated_dilated_conv2d(x, weight, bias, gate, [1, 2, 4]).shape == (2, 3, 1, 1)
    assert gated_dilated_conv2d(x[:0], weight, bias, gate[:0], [1, 2, 4]).shape == (0, 3, 1, 1)


def test_gradient_of_every_input():
    x, weight, bias, gate = (t.requires_grad_() for t in inputs((3, 4), torch.float64))
    assert torch.autograd.gradcheck(lambda *a: gated_dilated_conv2d(*a, [1, 2, 4]), (x, weight, bias, gate))

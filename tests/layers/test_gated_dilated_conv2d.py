import pytest
import torch
from torch.nn import functional as F

from tinynets.layers import GatedDilatedConv2d


@pytest.mark.parametrize("bias", [False, True])
def test_blends_its_kernel_at_every_dilation_and_adds_its_bias(bias):
    layer = GatedDilatedConv2d(3, dilations=(1, 3), kernel_size=5, bias=bias)
    x, gate = torch.randn(2, 3, 9, 8), torch.rand(2, 2, 9, 8)
    expected = sum(
        gate[:, k : k + 1] * F.conv2d(x, layer.weight, None, 1, 2 * dilation, dilation, 3)
        for k, dilation in enumerate((1, 3))
    )
    if bias:
        expected = expected + layer.bias.view(1, -1, 1, 1)
    torch.testing.assert_close(layer(x, gate), expected)

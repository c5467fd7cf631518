import pytest
import torch
from torch.nn import functional as F

from tinynets.layers import ConvBnAct


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_the_output_is_the_ceiling(kernel_size, dilation, stride):
    layer = ConvBnAct(3, 4, kernel_size, stride, dilation)
    size = tuple(-(-side // stride) for side in (11, 8))
    assert layer(torch.randn(2, 3, 11, 8)).shape == (2, 4, *size)


def test_is_torchs_convolution_norm_and_activation():
    layer = ConvBnAct(4, 6, 3, dilation=2, groups=2, bias=True).eval()
    x = torch.randn(2, 4, 9, 9)
    expected = F.conv2d(
        x, torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(1)), torch.arange(6.0), 1, 2, 2, 2
    )
    layer.conv.weight.data = torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    layer.conv.bias.data = torch.arange(6.0)
    torch.testing.assert_close(layer(x), F.relu(expected / (1 + layer.bn.eps) ** 0.5))

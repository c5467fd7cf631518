import pytest
import torch
from torch import nn

from tinynets.layers import ConvBnAct, DWSeparable


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_is_convolution_convolution_norm_activation(stride, dilation):
    layer = DWSeparable(48, 64, stride=stride, dilation=dilation, act_layer=nn.ReLU)
    assert [isinstance(m, t) for m, t in zip(layer, (nn.Conv2d, nn.Conv2d, nn.BatchNorm2d, nn.ReLU), strict=True)]
    assert sum(p.numel() for p in layer.parameters()) == 432 + 3072 + 128
    assert layer.conv_dw.dilation == (dilation, dilation)
    assert layer(torch.randn(2, 48, 9, 9)).shape == (2, 64, -(-9 // stride), -(-9 // stride))


def test_the_activation_is_optional_and_may_be_a_timm_name():
    assert not hasattr(DWSeparable(4, 4), "act")
    assert isinstance(DWSeparable(4, 4, act_layer="silu").act, nn.SiLU)


def test_conv_bn_act_keeps_its_activation_as_a_sync_batch_norm():
    layer = nn.SyncBatchNorm.convert_sync_batchnorm(ConvBnAct(3, 4))
    assert [type(m) for m in layer] == [nn.Conv2d, nn.SyncBatchNorm, nn.ReLU]


def test_conv_bn_act_with_batch_statistics_keeps_none():
    layer = ConvBnAct(3, 4, batch_stats=True)
    assert layer.bn.running_mean is None


@pytest.mark.parametrize("size", [3, 4, 5, 9])
def test_a_dilated_one_trains_as_torchs_convolution(size):
    torch.manual_seed(0)
    conv = DWSeparable(5, 6, dilation=2).conv_dw
    torch.manual_seed(0)
    plain = nn.Conv2d(5, 5, 3, 1, 2, 2, 5, bias=False)
    assert torch.equal(conv.weight, plain.weight)
    x = torch.randn(2, 5, size, size).to(memory_format=torch.channels_last)
    ours, theirs = (x.clone().requires_grad_() for _ in range(2))
    y, expected = conv(ours), plain(theirs)
    assert torch.equal(y, expected)
    for output in (y, expected):
        output.square().sum().backward()
    exact = size <= 4  # where the kernel does not fit into the map: C1C2C3C4O is bitwise reproduced
    for a, b in ((ours.grad, theirs.grad), (conv.weight.grad, plain.weight.grad)):
        torch.testing.assert_close(a, b, rtol=0 if exact else 1e-5, atol=0 if exact else 1e-5)

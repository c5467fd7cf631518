import pytest
import torch
from torch import nn

from tinynets.layers import ConvBnAct, DWSeparable


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_is_convolution_convolution_norm_activation(stride, dilation):
    layer = DWSeparable(48, 64, stride=stride, dilation=dilation, act_layer=nn.ReLU)
    assert [type(m) for m in layer] == [nn.Conv2d, nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
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

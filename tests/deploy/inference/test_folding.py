import torch
from torch import nn

from tinynets.deploy.inference.folding import fold_bn, scale_and_shift


def silent_norm():
    """A norm whose channels hardly vary, where eps decides the scale."""
    norm = nn.BatchNorm2d(3).double().eval()
    norm.running_var.copy_(torch.tensor([1e-6, 1e-5, 2.0]))
    norm.running_mean.copy_(torch.tensor([0.5, -1.0, 2.0]))
    nn.init.uniform_(norm.weight, 0.5, 2)
    nn.init.normal_(norm.bias)
    return norm


def test_scale_and_shift_are_the_norm():
    norm, x = silent_norm(), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    scale, shift = (values.view(-1, 1, 1) for values in scale_and_shift(norm))
    torch.testing.assert_close(x * scale + shift, norm(x))


def test_a_folded_convolution_is_convolution_and_norm():
    conv, norm = nn.Conv2d(2, 3, 3, bias=True).double(), silent_norm()
    x = torch.randn(2, 2, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(fold_bn(conv, norm)(x), norm(conv(x)))

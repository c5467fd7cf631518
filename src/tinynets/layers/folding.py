from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def scale_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """A batch norm in evaluation mode as y = scale * x + shift, both (C,) and fp64."""
    assert isinstance(norm, _BatchNorm)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    shift = -norm.running_mean.double() * scale
    if norm.affine:
        scale, shift = scale * norm.weight.double(), shift * norm.weight.double() + norm.bias.double()
    return scale, shift


def foldable(norm: nn.Module) -> bool:
    """Whether norm is a batch norm that evaluates with running statistics."""
    return isinstance(norm, _BatchNorm) and norm.running_mean is not None


@torch.no_grad()
def fold_bn(conv: nn.Conv2d, norm: nn.Module) -> nn.Conv2d:
    """conv -> norm, in evaluation mode, as one convolution with a bias."""
    scale, shift = scale_and_shift(norm)
    folded = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,  # pyright: ignore[reportArgumentType]
        conv.stride,  # pyright: ignore[reportArgumentType]
        conv.padding,  # pyright: ignore[reportArgumentType]
        conv.dilation,  # pyright: ignore[reportArgumentType]
        conv.groups,
        device=conv.weight.device,
        dtype=conv.weight.dtype,
    )
    assert folded.bias is not None
    weight = conv.weight.double() * scale.view(-1, 1, 1, 1)
    folded.weight = nn.Parameter(weight.to(conv.weight.dtype))  # in the same memory order
    folded.bias.copy_(shift if conv.bias is None else conv.bias.double() * scale + shift)
    return folded


def without_norm(block: nn.Sequential, conv: str) -> nn.Sequential:
    """block with its `bn` folded into the convolution of the given name; itself if that is not possible."""
    modules = OrderedDict(block.named_children())
    if not foldable(modules["bn"]):
        return block
    norm, convolution = modules.pop("bn"), modules[conv]
    assert isinstance(convolution, nn.Conv2d)
    modules[conv] = fold_bn(convolution, norm)
    return nn.Sequential(modules)

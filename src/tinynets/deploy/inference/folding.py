from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.ops.misc import FrozenBatchNorm2d

from tinynets.layers import ISNorm
from tinynets.layers.hookable_sequential import HookableSequential


def exact(x: Tensor) -> Tensor:
    """Return x in fp64, on the CPU if its device does not support fp64 (MPS)."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def scale_and_shift(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Express a batch norm in evaluation mode as y = scale * x + shift, both (C,) and fp64.

    Raises:
        ValueError: norm has no running statistics, so scale and shift are not constant.
    """
    if not foldable(norm):
        raise ValueError(
            f"cannot fuse {type(norm).__name__}: only BatchNorm2d and FrozenBatchNorm2d with running statistics fold "
            "into a convolution; use the model without fuse"
        )
    bn: Any = norm
    scale = torch.rsqrt(exact(bn.running_var) + bn.eps)
    shift = -exact(bn.running_mean) * scale
    if bn.weight is not None:
        scale, shift = scale * exact(bn.weight), shift * exact(bn.weight) + exact(bn.bias)
    return scale, shift


def scales_and_shifts(norm: ISNorm) -> tuple[Tensor, Tensor]:
    """Return scales and shifts of every step's norm, (T, C) each."""
    scales, shifts = zip(*(scale_and_shift(step) for step in norm.steps), strict=True)
    return torch.stack(scales), torch.stack(shifts)


def foldable(norm: nn.Module) -> bool:
    """Whether norm is a batch norm with running statistics, including frozen ones."""
    if isinstance(norm, FrozenBatchNorm2d):
        return True
    plain = isinstance(norm, _BatchNorm) and type(norm).forward in (_BatchNorm.forward, nn.SyncBatchNorm.forward)
    return plain and norm.running_mean is not None


@torch.no_grad()
def fold_bn(conv: nn.Conv2d, norm: nn.Module) -> nn.Conv2d:
    """Fold a batch norm in evaluation mode into the preceding convolution, which gains a bias."""
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
    weight = exact(conv.weight) * scale.view(-1, 1, 1, 1)
    folded.weight = nn.Parameter(weight.to(conv.weight))  # with the same memory format
    folded.bias.copy_(shift if conv.bias is None else exact(conv.bias) * scale + shift)
    return folded


def without_norm(block: HookableSequential, conv: str) -> nn.Sequential:
    """Return block with its `bn` folded into the named convolution, or block itself if that is not possible."""
    modules = OrderedDict(block.named_children())
    if not foldable(modules["bn"]):
        return block
    norm, convolution = modules.pop("bn"), modules[conv]
    assert isinstance(convolution, nn.Conv2d)
    modules[conv] = fold_bn(convolution, norm)
    return HookableSequential(modules)

"""Depthwise convolutions and their gradients in eager mode on the CPU, for one chunk of a batch.

oneDNN is fast at depthwise convolutions in channels_last and at the weight gradients of undilated ones, but its
gradients of dilated ones take 10 to 80 times as long as the forward pass. Both gradients are therefore composed of the
fast operations. Kernel elements that overlap only padding are skipped.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ._box_filter import upcast


def channels_last(x: Tensor) -> Tensor:
    """Return x in channels_last; in other layouts oneDNN's depthwise convolutions are ten times slower."""
    return x.contiguous(memory_format=torch.channels_last)


def convolve(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Depthwise convolution with "same" padding, reduced to the center element if dilation is as large as the map."""
    reach = weight.shape[-1] // 2
    if dilation >= max(x.shape[2], x.shape[3]):
        return x * weight[:, 0, reach, reach].contiguous().view(1, -1, 1, 1)
    return F.conv2d(x, weight, None, 1, dilation * reach, dilation, weight.shape[0])


def weight_gradient(x: Tensor, weight: Tensor, grad: Tensor, dilation: int) -> Tensor:
    """Compute the gradient of `convolve` with respect to its weight, in fp32 or wider."""
    channels, _, kernel_size, _ = weight.shape
    reach = kernel_size // 2
    if min(x.shape[2], x.shape[3]) <= 2 * dilation:
        return _weight_gradient_by_tap(x, weight, grad, dilation)
    split = torch.ops.aten.convolution_backward(
        _interleaved(grad, dilation),
        _interleaved(x, dilation),
        weight.repeat(dilation, 1, 1, 1),
        None,
        stride=[1, 1],
        padding=[reach, reach],
        dilation=[1, 1],
        transposed=False,
        output_padding=[0, 0],
        groups=channels * dilation,
        output_mask=[False, True, False],
    )[1]
    return upcast(split).view(dilation, channels, 1, kernel_size, kernel_size).sum(0)


def _interleaved(x: Tensor, dilation: int) -> Tensor:
    """Rearrange x so that a dilated convolution becomes an undilated one.

    The dilation row phases are moved to the batch dimension and the dilation column phases to the channel dimension.
    """
    n, c, h, w = x.shape
    if dilation == 1:
        return x
    if h % dilation or w % dilation:
        x = channels_last(F.pad(x, (0, -w % dilation, 0, -h % dilation)))
    x = x.permute(0, 2, 3, 1)
    rows = x.reshape(n, -1, dilation, x.shape[2] // dilation, dilation * c).transpose(1, 2)
    return rows.flatten(0, 1).permute(0, 3, 1, 2)


def _weight_gradient_by_tap(x: Tensor, weight: Tensor, grad: Tensor, dilation: int) -> Tensor:
    """Compute the weight gradient element by element, for maps so small that most elements overlap mainly padding."""
    kernel_size = weight.shape[-1]
    taps = torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
    for i in range(kernel_size):
        for j in range(kernel_size):
            x_part, grad_part = x, grad
            for dim, tap in ((2, i), (3, j)):
                shift = (tap - kernel_size // 2) * dilation
                rest = max(x.shape[dim] - abs(shift), 0)
                x_part = x_part.narrow(dim, max(shift, 0) if rest else 0, rest)
                grad_part = grad_part.narrow(dim, max(-shift, 0) if rest else 0, rest)
            if x_part.numel() > 0:
                taps[:, 0, i, j] = torch.sum(x_part * grad_part, (0, 2, 3), dtype=taps.dtype)
    return taps

"""gated_dilated_conv2d in eager mode on the CPU: vendor convolutions and in-place blends on a piece of the batch at a
time, so that the branches never leave the cache. Nothing is computed for taps that only see padding."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ._dispatch import pieces
from ._windows import accumulable


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    y = torch.empty_like(x)
    weight = weight.contiguous()
    for piece in pieces(x):
        whole, out = _channels_last(x[piece]), y[piece]
        # no name for a branch: it has to be gone when the next one is made, which then finds its memory in the cache
        for k, dilation in enumerate(dilations):
            share = gate[piece, k : k + 1]
            if k == 0:
                torch.mul(_branch(whole, weight, dilation), share, out=out)
            else:
                out.addcmul_(_branch(whole, weight, dilation), share)
        if bias is not None:
            out.add_(bias.view(1, -1, 1, 1))
    return y


def backward(
    grad: Tensor, x: Tensor, weight: Tensor, gate: Tensor, dilations: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    grad_x, grad_gate = torch.empty_like(x), torch.empty_like(gate)
    grad_weight = torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
    flipped = weight.flip(2, 3)
    for piece in pieces(x):
        whole, upstream, out = _channels_last(x[piece]), _channels_last(grad[piece]), grad_x[piece]
        for k, dilation in enumerate(dilations):
            branch = _branch(whole, weight, dilation)
            torch.sum(branch.mul_(upstream), 1, out=grad_gate[piece, k])
            gated = torch.mul(upstream, gate[piece, k : k + 1], out=branch)
            grad_weight += _weight_gradient(whole, weight, gated, dilation)
            if k == 0:
                out.copy_(_branch(gated, flipped, dilation))
            else:
                out.add_(_branch(gated, flipped, dilation))
    return grad_x, grad_weight.to(weight.dtype), grad_gate


def _channels_last(x: Tensor) -> Tensor:
    """oneDNN's depthwise convolutions are ten times slower in any other layout."""
    return x.contiguous(memory_format=torch.channels_last)


def _branch(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Depthwise convolution that keeps the size; a dilation as large as the map leaves the centre tap alone."""
    reach = weight.shape[-1] // 2
    if dilation >= max(x.shape[2], x.shape[3]):
        return x * weight[:, 0, reach, reach].contiguous().view(1, -1, 1, 1)
    return F.conv2d(x, weight, None, 1, dilation * reach, dilation, weight.shape[0])


def _weight_gradient(x: Tensor, weight: Tensor, grad: Tensor, dilation: int) -> Tensor:
    """Of _branch, in fp32 or wider."""
    channels, _, kernel_size, _ = weight.shape
    reach = kernel_size // 2
    if min(x.shape[2], x.shape[3]) <= 2 * dilation:
        return _weight_gradient_by_tap(x, weight, grad, dilation)
    # oneDNN has fast weight gradients for undilated depthwise convolutions only: a dilated one is split into those
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
    return accumulable(split).view(dilation, channels, 1, kernel_size, kernel_size).sum(0)


def _interleaved(x: Tensor, dilation: int) -> Tensor:
    """Every dilation-th row, from every start, as images; every dilation-th column, from every start, as channels."""
    n, c, h, w = x.shape
    if dilation == 1:
        return x
    if h % dilation or w % dilation:
        x = _channels_last(F.pad(x, (0, -w % dilation, 0, -h % dilation)))
    x = x.permute(0, 2, 3, 1)
    rows = x.reshape(n, -1, dilation, x.shape[2] // dilation, dilation * c).transpose(1, 2)
    return rows.flatten(0, 1).permute(0, 3, 1, 2)


def _weight_gradient_by_tap(x: Tensor, weight: Tensor, grad: Tensor, dilation: int) -> Tensor:
    """For maps so small that most of what a tap sees is padding."""
    kernel_size = weight.shape[-1]
    taps = torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
    for i in range(kernel_size):
        for j in range(kernel_size):
            seen, by = x, grad
            for dim, tap in ((2, i), (3, j)):
                shift = (tap - kernel_size // 2) * dilation
                rest = max(x.shape[dim] - abs(shift), 0)
                seen = seen.narrow(dim, max(shift, 0) if rest else 0, rest)
                by = by.narrow(dim, max(-shift, 0) if rest else 0, rest)
            if seen.numel() > 0:
                taps[:, 0, i, j] = torch.sum(seen * by, (0, 2, 3), dtype=taps.dtype)
    return taps

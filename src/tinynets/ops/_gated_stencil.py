"""`gated_dilated_conv2d` for compilers: one expression of shifted maps, which inductor fuses into one pass over x."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ._windows import accumulable


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    y = torch.zeros((), dtype=x.dtype, device=x.device) if bias is None else bias.view(1, -1, 1, 1)
    for branch, share in zip(_branches(x, weight, dilations), gate.split(1, 1), strict=True):
        y = y + branch * share
    return y.to(x.dtype)


def backward(
    grad: Tensor, x: Tensor, weight: Tensor, gate: Tensor, dilations: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    wide = accumulable(grad)
    shares = accumulable(gate).split(1, 1)
    grad_gate = [(branch * wide).sum(1, keepdim=True) for branch in _branches(x, weight, dilations)]
    taps = _taps(weight)
    kernel_size = weight.shape[-1]
    grad_x = torch.zeros_like(wide)
    grad_taps: list[Tensor] = [torch.zeros_like(taps[0]) for _ in taps]
    for share, dilation in zip(shares, dilations, strict=True):
        gated = wide * share
        for tap, shifted in _shifted(gated, kernel_size, dilation):
            grad_x = grad_x + shifted * taps[len(taps) - 1 - tap]
        for tap, shifted in _shifted(accumulable(x), kernel_size, dilation):
            grad_taps[tap] = grad_taps[tap] + (shifted * gated).sum((0, 2, 3)).view(1, -1, 1, 1)
    grad_weight = torch.stack(grad_taps, -1).view_as(weight)
    return grad_x.to(x.dtype), grad_weight.to(weight.dtype), torch.cat(grad_gate, 1).to(gate.dtype)


def _branches(x: Tensor, weight: Tensor, dilations: Sequence[int]) -> Iterator[Tensor]:
    taps = _taps(weight)
    for dilation in dilations:
        branch = torch.zeros((), dtype=taps[0].dtype, device=x.device)
        for tap, shifted in _shifted(accumulable(x), weight.shape[-1], dilation):
            branch = branch + shifted * taps[tap]
        yield branch


def _taps(weight: Tensor) -> list[Tensor]:
    """The kernel's taps, each as (1, C, 1, 1), contiguous in C.

    The product with the identity matrix copies them exactly. inductor does not fuse this copy away. Without it every
    load of a tap gathers from C places in memory, which halves the speed.
    """
    taps = accumulable(weight).flatten(1).t()
    if not taps.is_contiguous():
        taps = torch.eye(taps.shape[0], dtype=taps.dtype, device=taps.device) @ taps
    return [tap.view(1, -1, 1, 1) for tap in taps.unbind(0)]


def _shifted(x: Tensor, kernel_size: int, dilation: int) -> Iterator[tuple[int, Tensor]]:
    """Yield every tap that sees more than padding, with the map shifted accordingly."""
    height, width = x.shape[2], x.shape[3]
    reach = kernel_size // 2
    if dilation >= height and dilation >= width:  # only the centre tap counts; padding by the dilation would be large
        yield reach * kernel_size + reach, x
        return
    padding = dilation * reach
    padded = F.pad(x, [padding] * 4)
    for i in range(kernel_size):
        for j in range(kernel_size):
            if abs(i - reach) * dilation < height and abs(j - reach) * dilation < width:
                yield i * kernel_size + j, padded.narrow(2, i * dilation, height).narrow(3, j * dilation, width)

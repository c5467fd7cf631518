"""`gated_dilated_conv2d` in eager mode on the CPU.

It works through the batch in pieces, with depthwise convolutions and in-place blends, so that the branches stay in the
cache.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ._depthwise_pieces import channels_last, convolve, weight_gradient
from ._dispatch import pieces


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    y = torch.empty_like(x)
    weight = weight.contiguous()
    for piece in pieces(x):
        whole, out = channels_last(x[piece]), y[piece]
        # branches get no name: each is freed before the next is computed, which then reuses memory that is in the cache
        for k, dilation in enumerate(dilations):
            share = gate[piece, k : k + 1]
            if k == 0:
                torch.mul(convolve(whole, weight, dilation), share, out=out)
            else:
                out.addcmul_(convolve(whole, weight, dilation), share)
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
        whole, upstream, out = channels_last(x[piece]), channels_last(grad[piece]), grad_x[piece]
        for k, dilation in enumerate(dilations):
            branch = convolve(whole, weight, dilation)
            torch.sum(branch.mul_(upstream), 1, out=grad_gate[piece, k])
            gated = torch.mul(upstream, gate[piece, k : k + 1], out=branch)
            grad_weight += weight_gradient(whole, weight, gated, dilation)
            if k == 0:
                out.copy_(convolve(gated, flipped, dilation))
            else:
                out.add_(convolve(gated, flipped, dilation))
    return grad_x, grad_weight.to(weight.dtype), grad_gate

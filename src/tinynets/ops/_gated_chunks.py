"""`gated_dilated_conv2d` in eager mode on the CPU.

The batch is processed in chunks, with depthwise convolutions and in-place accumulation, so that the branches stay in
the cache.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ._box_filter import small
from ._depthwise_chunks import channels_last, convolve, weight_gradient
from ._dispatch import CHUNK, chunks


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    weight = weight.contiguous()
    if small(x) or (x.numel() <= CHUNK and x.is_contiguous(memory_format=torch.channels_last)):
        return _blend(x, weight, bias, gate, dilations)
    y = torch.empty_like(x)
    for chunk in chunks(x):
        y[chunk] = _blend(channels_last(x[chunk]), weight, bias, gate[chunk], dilations)
    return y


def _blend(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    gates = gate.split(1, 1)
    y = convolve(x, weight, dilations[0]).mul_(gates[0])
    # branches are not assigned to names: each is freed before the next is computed, which reuses memory in the cache
    for dilation, gate_k in zip(dilations[1:], gates[1:], strict=True):
        y.addcmul_(convolve(x, weight, dilation), gate_k)
    return y if bias is None else y.add_(bias.view(1, -1, 1, 1))


def backward(
    grad: Tensor, x: Tensor, weight: Tensor, gate: Tensor, dilations: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    grad_x, grad_gate = torch.empty_like(x), torch.empty_like(gate)
    grad_weight = torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
    flipped = weight.flip(2, 3)
    for chunk in chunks(x):
        whole, upstream, out = channels_last(x[chunk]), channels_last(grad[chunk]), grad_x[chunk]
        for k, dilation in enumerate(dilations):
            branch = convolve(whole, weight, dilation)
            torch.sum(branch.mul_(upstream), 1, out=grad_gate[chunk, k])
            gated = torch.mul(upstream, gate[chunk, k : k + 1], out=branch)
            grad_weight += weight_gradient(whole, weight, gated, dilation)
            if k == 0:
                out.copy_(convolve(gated, flipped, dilation))
            else:
                out.add_(convolve(gated, flipped, dilation))
    return grad_x, grad_weight.to(weight.dtype), grad_gate

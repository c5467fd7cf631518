import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import register_flop_formula

from tinynets._checks import check_shape

from ._checks import check_depthwise, check_maps
from ._depthwise_conv2d import channels_last, convolve, weight_gradient
from ._dispatch import CHUNK, chunks, custom_ops_apply, define_op, in_chunks, on_triton, packable, records_gradients


def gated_dilated_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: list[int]) -> Tensor:
    """Depthwise convolution at several dilations with a shared kernel, weighted by a per-pixel gate.

    y = sum_k gate_k * depthwise_conv(x, weight, dilation=dilations[k]) + bias, with stride 1 and "same" zero padding.
    Under autocast all arguments are cast to autocast's dtype, as for convolutions.

    Args:
        x: (N, C, H, W).
        weight: (C, 1, K, K), K odd; shared by all dilations.
        bias: (C,) or None.
        gate: (N, len(dilations), H, W), the weight of each dilation at every pixel.
        dilations: spacing between kernel elements in pixels, one for each channel of the gate.

    Returns:
        (N, C, H, W).

    Raises:
        ValueError: an argument has a wrong shape or value, or is on another device.

    Examples:
        >>> import torch
        >>> from tinynets.ops import gated_dilated_conv2d
        >>> x, weight = torch.randn(1, 4, 8, 8), torch.randn(4, 1, 3, 3)
        >>> gate = torch.randn(1, 3, 8, 8).softmax(1)
        >>> gated_dilated_conv2d(x, weight, None, gate, [1, 2, 4]).shape
        torch.Size([1, 4, 8, 8])
    """
    if not torch.jit.is_tracing():
        check_maps(x)
        check_depthwise(x, weight, bias)
        check_shape(gate, "gate", [x.shape[0], len(dilations), x.shape[2], x.shape[3]], x)
    if not torch.jit.is_scripting():
        if in_chunks(x) and not torch.is_autocast_enabled("cpu"):
            gate = gate.to(x.dtype)
            if not records_gradients(x, weight, bias, gate):
                return _chunked(x, weight, bias, gate, dilations)
        if custom_ops_apply(x) and (x.is_cpu or packable(dilations)):
            device = x.device.type
            if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
                dtype = torch.get_autocast_dtype(device)
                x, weight = x.to(dtype), weight.to(dtype)
                bias = None if bias is None else bias.to(dtype)
            return torch.ops.tinynets.gated_dilated_conv2d(x, weight, bias, gate.to(x.dtype), dilations)
    return _forward(x, weight, bias, gate, dilations)


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: list[int]) -> Tensor:
    reach = weight.shape[-1] // 2
    channels = weight.shape[0]
    pad = dilations[0] * reach  # a list below: torch.jit.trace of torch 2.7 does not support a traced int
    y = F.conv2d(x, weight, None, 1, [pad, pad], dilations[0], channels)
    gate = gate.to(y.dtype)  # under autocast, the convolution determines the dtype
    y = y * gate.narrow(1, 0, 1)
    for index in range(1, len(dilations)):
        dilation = dilations[index]
        pad = dilation * reach
        branch = F.conv2d(x, weight, None, 1, [pad, pad], dilation, channels)
        y = y + branch * gate.narrow(1, index, 1)
    if bias is not None:
        y = y + bias.to(y.dtype).view(1, -1, 1, 1)
    return y


def _chunked(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    """`_forward` in eager mode on the CPU, in chunks and in place, so that the branches stay in the cache."""
    weight = weight.contiguous()
    if x.numel() <= CHUNK and x.is_contiguous(memory_format=torch.channels_last):
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


def _chunked_backward(
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


def _run(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    if on_triton(x):
        from ._triton.gated_dilated_conv2d import forward

        return forward(x, weight, bias, gate, dilations)
    return _chunked(x, weight, bias, gate, dilations)


def _run_backward(
    grad: Tensor, x: Tensor, weight: Tensor, gate: Tensor, dilations: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    if on_triton(x):
        from ._triton.gated_dilated_conv2d import backward

        return backward(grad, x, weight, gate, dilations)
    return _chunked_backward(grad, x, weight, gate, dilations)


def _setup(ctx, inputs, output) -> None:
    x, weight, bias, gate, ctx.dilations = inputs
    ctx.save_for_backward(x, weight, bias, gate)


def _autograd(ctx, grad: Tensor):
    x, weight, bias, gate = ctx.saved_tensors
    grad_x, grad_weight, grad_gate = torch.ops.tinynets.gated_dilated_conv2d_backward(
        grad, x, weight, gate, ctx.dilations
    )
    return grad_x, grad_weight, None if bias is None else grad.sum((0, 2, 3)), grad_gate, None


define_op("gated_dilated_conv2d", _run, lambda x, weight, bias, gate, dilations: torch.empty_like(x), _autograd, _setup)
define_op(
    "gated_dilated_conv2d_backward",
    _run_backward,
    lambda grad, x, weight, gate, dilations: (torch.empty_like(x), torch.empty_like(weight), torch.empty_like(gate)),
)


@register_flop_formula(torch.ops.tinynets.gated_dilated_conv2d)
def _flops(x: Any, weight: Any, bias: Any, gate: Any, dilations: Any, **_: Any) -> int:
    """As torch counts one depthwise convolution for each dilation; x and weight are shapes."""
    return 2 * math.prod(x) * weight[2] * weight[3] * len(dilations)


@register_flop_formula(torch.ops.tinynets.gated_dilated_conv2d_backward)
def _backward_flops(grad: Any, x: Any, weight: Any, gate: Any, dilations: Any, **_: Any) -> int:
    return 2 * _flops(x, weight, None, gate, dilations)

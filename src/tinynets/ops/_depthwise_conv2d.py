from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ._box_filter import upcast
from ._checks import check_depthwise, check_maps
from ._dispatch import chunks, in_chunks, on_triton, packable, records_gradients, runs_eagerly


def depthwise_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None = None, dilation: int = 1) -> Tensor:
    """Depthwise convolution with stride 1 and "same" zero padding: y = conv2d(x, weight, bias, groups=C).

    Equivalent to torch.nn.functional.conv2d, with a faster backward pass for dilations above 1: Triton kernels on a
    GPU, and on the CPU an alternative to oneDNN's, which takes 10 to 80 times as long as the forward pass.

    Args:
        x: (N, C, H, W), any floating-point dtype.
        weight: (C, 1, K, K), K odd.
        bias: (C,) or None.
        dilation: spacing between kernel elements in pixels.

    Returns:
        (N, C, H, W) in the dtype of x, or in autocast's dtype.

    Raises:
        ValueError: an argument has a wrong shape or value, or is on another device.

    Examples:
        >>> import torch
        >>> from tinynets.ops import depthwise_conv2d
        >>> depthwise_conv2d(torch.ones(1, 2, 5, 5), torch.ones(2, 1, 3, 3), dilation=2)[0, 0, 2, 2]
        tensor(9.)
    """
    if not torch.jit.is_tracing():
        check_maps(x)
        check_depthwise(x, weight, bias)
    if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
        if dilation > 1 and _use_custom_backward(x, weight, dilation):
            if torch.is_autocast_enabled(x.device.type):
                dtype = torch.get_autocast_dtype(x.device.type)
                x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
            y = _Depthwise.apply(x, weight, dilation)
            return y if bias is None else y + bias.to(y.dtype).view(1, -1, 1, 1)
    return _forward(x, weight, bias, dilation)


def _use_custom_backward(x: Tensor, weight: Tensor, dilation: int) -> bool:
    """Whether to use the custom backward pass: in eager training, on the CPU in a single dtype or by Triton kernels.

    Maps no larger than 2 * dilation are excluded: the gain is small, and C1C2C3C4O's released training stays bitwise
    reproducible.
    """
    if not runs_eagerly() or torch._C._len_torch_dispatch_stack() or not records_gradients(x, weight):
        return False
    if min(x.shape[2], x.shape[3]) <= 2 * dilation:
        return False
    if on_triton(x):
        return packable([dilation]) and weight[0].numel() <= 49  # the kernels unroll their taps
    return in_chunks(x) and not torch.is_autocast_enabled("cpu") and x.dtype == weight.dtype


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    pad = dilation * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, bias, 1, [pad, pad], dilation, weight.shape[0])


class _Depthwise(torch.autograd.Function):
    """grad_x is a convolution of grad with the kernel rotated by 180 degrees, as fast as the forward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        if on_triton(x):
            from ._triton import gated_dilated_conv2d as kernels

            return kernels.forward(x, weight, None, None, [dilation])
        return _forward(x, weight, None, dilation)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight = ctx.saved_tensors
        if torch.is_grad_enabled():  # once_differentiable lets a constant grad pass, whose second derivatives are not 0
            raise RuntimeError("depthwise_conv2d has no second derivatives: use create_graph=False")
        if on_triton(x):
            from ._triton import gated_dilated_conv2d as kernels

            arguments = (grad, x, weight, None, [ctx.dilation])
            return kernels.grad_of_x(*arguments), kernels.grad_of_weight(*arguments), None
        grad_x = torch.empty_like(x)
        grad_weight = torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
        flipped = weight.flip(2, 3)
        for chunk in chunks(x):
            x_chunk, upstream = channels_last(x[chunk]), channels_last(grad[chunk])
            grad_x[chunk] = convolve(upstream, flipped, ctx.dilation)
            grad_weight += weight_gradient(x_chunk, weight, upstream, ctx.dilation)
        return grad_x, grad_weight.to(weight.dtype), None


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

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from tinynets._checks import check_maps

from . import _gated_pieces, _gated_stencil
from ._checks import check_depthwise, check_gate
from ._dispatch import custom_ops_apply, define_op, in_pieces, on_triton, records_gradients
from ._windows import small


def gated_dilated_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: list[int]) -> Tensor:
    """y = sum_k gate_k * depthwise_conv(x, weight, dilation=dilations[k]) + bias: one kernel seen at several scales.

    Under autocast everything is taken in autocast's type, as convolutions are.

    Args:
        x: (N, C, H, W).
        weight: (C, 1, K, K), K odd; the same kernel serves every dilation.
        bias: (C,) or None.
        gate: (N, len(dilations), H, W), how much of each dilation every pixel takes.
        dilations: spacing of the kernel's taps in pixels, one per gate channel.

    Returns:
        (N, C, H, W): zero padding keeps the size.
    """
    if not torch.jit.is_tracing():
        check_maps(x)
        check_depthwise(x, weight, bias)
        check_gate(x, gate, dilations)
    if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
        if custom_ops_apply(x):
            device = x.device.type
            if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
                dtype = torch.get_autocast_dtype(device)
                x, weight, gate = x.to(dtype), weight.to(dtype), gate.to(dtype)
                bias = None if bias is None else bias.to(dtype)
            gate = gate.to(x.dtype)
            if in_pieces(x):
                if x.shape[0] == 1 and small(x):
                    return _few_calls(x, weight, bias, gate, dilations)
                if not records_gradients(x, weight, bias, gate):
                    return _run(x, weight, bias, gate, dilations)
            return torch.ops.tinynets.gated_dilated_conv2d(x, weight, bias, gate, dilations)
    return _forward(x, weight, bias, gate, dilations)


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: list[int]) -> Tensor:
    reach = weight.shape[-1] // 2
    channels = weight.shape[0]
    y = F.conv2d(x, weight, None, 1, dilations[0] * reach, dilations[0], channels)
    gate = gate.to(y.dtype)  # under autocast the convolution decides the type
    y = y * gate.narrow(1, 0, 1)
    for index in range(1, len(dilations)):
        dilation = dilations[index]
        branch = F.conv2d(x, weight, None, 1, dilation * reach, dilation, channels)
        y = y + branch * gate.narrow(1, index, 1)
    if bias is not None:
        y = y + bias.to(y.dtype).view(1, -1, 1, 1)
    return y


def _few_calls(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: list[int]) -> Tensor:
    """_forward in one type: for one image, calls cost more than memory, and oneDNN's slow gradients next to nothing."""
    reach, channels = weight.shape[-1] // 2, weight.shape[0]
    y: Tensor | None = None
    for dilation, share in zip(dilations, gate.split(1, 1), strict=True):
        branch = F.conv2d(x, weight, None, 1, dilation * reach, dilation, channels)
        y = branch * share if y is None else torch.addcmul(y, branch, share)
    assert y is not None
    return y if bias is None else y + bias.view(1, -1, 1, 1)


def _packable(dilations: Sequence[int]) -> bool:
    """Whether the kernels, which get the dilations as one 64-bit number, can have them."""
    return len(dilations) <= 6 and max(dilations) < 1024


def _run(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    if on_triton(x) and _packable(dilations):
        from ._triton.gated_dilated_conv2d import forward

        return forward(x, weight, bias, gate, dilations)
    implementation = _gated_pieces if in_pieces(x) else _gated_stencil
    return implementation.forward(x, weight, bias, gate, dilations)


def _run_backward(
    grad: Tensor, x: Tensor, weight: Tensor, gate: Tensor, dilations: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    if on_triton(x) and _packable(dilations):
        from ._triton.gated_dilated_conv2d import backward

        return backward(grad, x, weight, gate, dilations)
    implementation = _gated_pieces if in_pieces(x) else _gated_stencil
    return implementation.backward(grad, x, weight, gate, dilations)


def _setup(ctx, inputs, output) -> None:
    x, weight, bias, gate, ctx.dilations = inputs
    ctx.save_for_backward(x, weight, bias, gate)


def _autograd(ctx, grad: Tensor):
    x, weight, bias, gate = ctx.saved_tensors
    if torch.is_grad_enabled():  # a second derivative is wanted
        inputs = [t for t in (x, weight, bias, gate) if t is not None and t.requires_grad]
        y = _forward(x, weight, bias, gate, ctx.dilations)
        grads = iter(torch.autograd.grad(y, inputs, grad, create_graph=True))
        return *(next(grads) if t is not None and t.requires_grad else None for t in (x, weight, bias, gate)), None
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

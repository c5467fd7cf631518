import torch
from torch import Tensor
from torch.nn import functional as F

from tinynets._checks import check_maps

from ._checks import check_pointwise, check_window
from ._dispatch import in_pieces, pieces, records_gradients
from ._windows import accumulable, eager_inverse_count, eager_window_sum, small, window_mean
from .local_variance import local_variance


def projected_variance(x: Tensor, weight: Tensor, bias: Tensor | None, kernel_size: int = 3) -> Tensor:
    """y = conv1x1(local_variance(x), weight) + bias, the statistics that a gate works with.

    In eager inference on the CPU V is not kept: V = mean_window(d^2) - mean_window(d)^2 with d the difference to the
    map's mean, which costs two thirds of local_variance. Rounding errors of V are then of the order of 1e-7 of the
    whole map's variance, not of V: small in a sum over channels, which is why local_variance does not do the same.

    Args:
        x: (N, C, H, W).
        weight: (C_out, C, 1, 1).
        bias: (C_out,) or None.
        kernel_size: odd side of the window in pixels.

    Returns:
        (N, C_out, H, W).
    """
    if not torch.jit.is_tracing():
        check_maps(x)
        check_pointwise(x, weight, bias)
        check_window(kernel_size)
    if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
        if in_pieces(x) and not torch.is_autocast_enabled("cpu") and not records_gradients(x, weight, bias):
            return (_in_few_calls if small(x) else _shifted)(x, weight, bias, kernel_size)
    return F.conv2d(local_variance(x, kernel_size), weight, bias)


def _in_few_calls(x: Tensor, weight: Tensor, bias: Tensor | None, kernel_size: int) -> Tensor:
    wide = accumulable(x)
    centred = wide - wide.mean((2, 3), keepdim=True)
    mean = window_mean(centred, kernel_size)
    variance = window_mean(centred.mul_(centred), kernel_size).addcmul_(mean, mean, value=-1)
    return F.conv2d(variance.to(x.dtype), weight, bias)


def _shifted(x: Tensor, weight: Tensor, bias: Tensor | None, kernel_size: int) -> Tensor:
    n, _, height, width = x.shape
    size = (n, weight.shape[0], height, width)
    y = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    share = eager_inverse_count(x, kernel_size)
    root = share.sqrt()
    weight = accumulable(weight)
    for piece in pieces(x):
        wide = accumulable(x[piece])
        centred = wide - wide.mean((2, 3), keepdim=True)
        squared = eager_window_sum(centred.square(), kernel_size, kernel_size)
        total = eager_window_sum(centred, kernel_size, kernel_size).mul_(root)
        scaled = squared.addcmul_(total, total, value=-1)  # count * V: the rest can wait until the channels are few
        y[piece] = F.conv2d(scaled, weight).mul_(share)
    if bias is not None:
        y += bias.view(1, -1, 1, 1)
    return y

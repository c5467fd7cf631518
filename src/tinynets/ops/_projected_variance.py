import torch
from torch import Tensor
from torch.nn import functional as F

from tinynets._checks import check_maps

from ._box_filter import accumulable, eager_inverse_count, eager_window_sum, in_type_of, small
from ._checks import check_pointwise, check_window
from ._dispatch import in_pieces, pieces, records_gradients
from ._local_variance import local_variance
from ._variance_pieces import centered, unclamped


def projected_variance(x: Tensor, weight: Tensor, bias: Tensor | None, kernel_size: int = 3) -> Tensor:
    """Compute the local variance and a 1x1 convolution of it: y = conv1x1(local_variance(x), weight) + bias.

    In eager inference on the CPU the variance itself is never stored, which saves passes over memory.

    Args:
        x: (N, C, H, W).
        weight: (C_out, C, 1, 1).
        bias: (C_out,) or None.
        kernel_size: side of the window in pixels, odd.

    Returns:
        (N, C_out, H, W).

    Raises:
        TypeError: an argument has a wrong type.
        ValueError: an argument has a wrong shape or value, or lies on another device.

    Examples:
        >>> import torch
        >>> from tinynets.ops import projected_variance
        >>> projected_variance(torch.randn(1, 8, 6, 6), torch.randn(2, 8, 1, 1), None).shape
        torch.Size([1, 2, 6, 6])
    """
    if not torch.jit.is_tracing():
        check_maps(x)
        check_pointwise(x, weight, bias)
        check_window(kernel_size)
    if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
        if in_pieces(x) and not torch.is_autocast_enabled("cpu") and not records_gradients(x, weight, bias):
            return _eager(x, weight, bias, kernel_size)
    return F.conv2d(local_variance(x, kernel_size), weight, bias)


def _eager(x: Tensor, weight: Tensor, bias: Tensor | None, kernel_size: int) -> Tensor:
    if small(x):
        return F.conv2d(in_type_of(x, unclamped(x, kernel_size)), weight, bias)
    n, _, height, width = x.shape
    size = (n, weight.shape[0], height, width)
    y = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    share = eager_inverse_count(x, kernel_size)
    root = share.sqrt()
    weight = accumulable(weight)
    for piece in pieces(x):
        difference = centered(x[piece])
        total = eager_window_sum(difference, kernel_size).mul_(root)
        squared = eager_window_sum(difference.square_(), kernel_size)
        scaled = squared.addcmul_(total, total, value=-1)  # count * V: divided after the channels are reduced
        y[piece] = F.conv2d(scaled, weight).mul_(share)
    if bias is not None:
        y += bias.view(1, -1, 1, 1)
    return y

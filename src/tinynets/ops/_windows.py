"""Sliding windows of odd side around every pixel, clipped at the border."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F


def accumulable(x: Tensor) -> Tensor:
    """Return x in a type precise enough for sums over windows: half precision becomes fp32, fp32 and fp64 stay."""
    if x.dtype == torch.float16 or x.dtype == torch.bfloat16:
        return x.float()
    return x


def window_mean(x: Tensor, kernel_size: int) -> Tensor:
    return F.avg_pool2d(x, kernel_size, stride=1, padding=kernel_size // 2, count_include_pad=False)


def window_sum(x: Tensor, kernel_size: int) -> Tensor:
    return F.avg_pool2d(x, kernel_size, stride=1, padding=kernel_size // 2, divisor_override=1)


_SMALL = 1 << 17


def small(x: Tensor, weight: int = 1) -> bool:
    """Whether x is so small that the number of calls determines the time in eager mode, and not the amount of data.

    Args:
        x: the input.
        weight: work per element of the form with few calls, relative to the other form.
    """
    return x.numel() * weight <= _SMALL


def eager_window_sum(x: Tensor, height: int, width: int) -> Tensor:
    """`window_sum` in eager mode on the CPU. For large channels_last fp32 maps it is a depthwise convolution with ones,
    which oneDNN computes three times as fast as average pooling.
    """
    padding = [height // 2, width // 2]
    if x.dtype == torch.float32 and not small(x) and x.is_contiguous(memory_format=torch.channels_last):
        channels = x.shape[1]
        ones = torch.ones(channels, 1, height, width, device="cpu")
        return torch.convolution(x, ones, None, [1, 1], padding, [1, 1], False, [0, 0], channels)
    return F.avg_pool2d(x, (height, width), 1, padding, divisor_override=1)


def inverse_count(x: Tensor, kernel_size: int) -> Tensor:
    """1 / number of pixels in the window, (H, W)."""
    radius = kernel_size // 2
    return inverse_length(x, 2, radius).unsqueeze(1) * inverse_length(x, 3, radius)


def eager_inverse_count(x: Tensor, kernel_size: int) -> Tensor:
    """`inverse_count` for x on the CPU, in the type of its sums. The result is cached."""
    return _inverse_count(x.shape[2], x.shape[3], kernel_size, accumulable(x[:0]).dtype)


@lru_cache
def _inverse_count(height: int, width: int, kernel_size: int, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):
        return inverse_count(torch.empty((0, 0, height, width), dtype=dtype, device="cpu"), kernel_size)


def inverse_length(x: Tensor, dim: int, radius: int) -> Tensor:
    """1 / number of pixels of the window along dim, (x.shape[dim],)."""
    size = x.shape[dim]
    index = torch.arange(size, device=x.device)
    return 1 / (index.clamp(max=radius) + (size - 1 - index).clamp(max=radius) + 1).to(x.dtype)

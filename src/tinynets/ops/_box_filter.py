"""Box filters: sums and means over odd-sized windows centered on every pixel and clipped at the border."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F


def upcast(x: Tensor) -> Tensor:
    """Return x in a dtype suited to window sums: half precision is cast to fp32, fp32 and fp64 are unchanged."""
    if x.dtype == torch.float32 or x.dtype == torch.float64:
        return x
    return x.float()


def window_mean(x: Tensor, kernel_size: int) -> Tensor:
    return F.avg_pool2d(x, kernel_size, stride=1, padding=kernel_size // 2, count_include_pad=False)


def window_sum(x: Tensor, kernel_size: int) -> Tensor:
    return F.avg_pool2d(x, kernel_size, stride=1, padding=kernel_size // 2, divisor_override=1)


_SMALL = 1 << 17


def eager_window_sum(x: Tensor, kernel_size: int) -> Tensor:
    """`window_sum` in eager mode on the CPU, by the faster of average pooling and a depthwise convolution with ones.

    The convolution has a higher fixed cost and a lower cost per element; pooling is fast in channels_last only.
    """
    if _convolves(x):
        channels = x.shape[1]
        ones = torch.ones(channels, 1, kernel_size, kernel_size, device="cpu")
        padding = [kernel_size // 2, kernel_size // 2]
        return torch.convolution(x, ones, None, [1, 1], padding, [1, 1], False, [0, 0], channels)
    return window_sum(x, kernel_size)


def eager_window_mean(x: Tensor, kernel_size: int) -> Tensor:
    """`window_mean` in eager mode on the CPU, computed like `eager_window_sum`."""
    if _convolves(x):
        return eager_window_sum(x, kernel_size).mul_(eager_inverse_count(x, kernel_size))
    return F.avg_pool2d(x, kernel_size, 1, kernel_size // 2, False, False)


def _convolves(x: Tensor) -> bool:
    """Whether oneDNN sums windows of x faster than average pooling does."""
    size = x.numel()
    if size * 16 <= _SMALL or x.dtype != torch.float32:
        return False
    return size > _SMALL if x.is_contiguous(memory_format=torch.channels_last) else x.is_contiguous()


def inverse_count(x: Tensor, kernel_size: int) -> Tensor:
    """Return 1 / number of pixels in the clipped window, (H, W)."""
    radius = kernel_size // 2
    return inverse_length(x, 2, radius).unsqueeze(1) * inverse_length(x, 3, radius)


def eager_inverse_count(x: Tensor, kernel_size: int) -> Tensor:
    """Cached `inverse_count` for x on the CPU, in the dtype of its sums."""
    return _inverse_count(x.shape[2], x.shape[3], kernel_size, upcast(x[:0]).dtype)


@lru_cache
def _inverse_count(height: int, width: int, kernel_size: int, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):
        return inverse_count(torch.empty((0, 0, height, width), dtype=dtype, device="cpu"), kernel_size)


def inverse_length(x: Tensor, dim: int, radius: int) -> Tensor:
    """Return 1 / number of pixels in the clipped window along dim, (x.shape[dim],)."""
    size = x.shape[dim]
    index = torch.arange(size, device=x.device)
    return 1 / (index.clamp(max=radius) + (size - 1 - index).clamp(max=radius) + 1).to(x.dtype)

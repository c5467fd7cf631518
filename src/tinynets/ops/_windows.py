"""Sliding windows of odd side around every pixel, clipped at the border."""

import torch
from torch import Tensor
from torch.nn import functional as F


def accumulable(x: Tensor) -> Tensor:
    """x in a type that sums over windows can be taken in: half precision becomes fp32, fp32 and fp64 stay."""
    if x.dtype == torch.float16 or x.dtype == torch.bfloat16:
        return x.float()
    return x


def window_mean(x: Tensor, kernel_size: int) -> Tensor:
    return F.avg_pool2d(x, kernel_size, stride=1, padding=kernel_size // 2, count_include_pad=False)


def window_sum(x: Tensor, kernel_size: int) -> Tensor:
    return F.avg_pool2d(x, kernel_size, stride=1, padding=kernel_size // 2, divisor_override=1)


def inverse_count(x: Tensor, kernel_size: int) -> Tensor:
    """1 / number of pixels in the window, (H, W)."""
    radius = kernel_size // 2
    return inverse_length(x, 2, radius).unsqueeze(1) * inverse_length(x, 3, radius)


def inverse_length(x: Tensor, dim: int, radius: int) -> Tensor:
    """1 / number of pixels of the window along dim, (x.shape[dim],)."""
    size = x.shape[dim]
    index = torch.arange(size, device=x.device)
    return 1 / (index.clamp(max=radius) + (size - 1 - index).clamp(max=radius) + 1).to(x.dtype)

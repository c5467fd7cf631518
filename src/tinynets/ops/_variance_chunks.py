"""`local_variance` in eager mode on the CPU, in chunks of the batch.

V = mean(d^2) - mean(d)^2 with d = x - mean_map(x), the form with the fewest passes over memory.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ._box_filter import eager_inverse_count, eager_window_mean, eager_window_sum, in_type_of, upcast
from ._dispatch import by_chunk, chunks


def forward(x: Tensor, kernel_size: int) -> Tensor:
    return by_chunk(_variance, x, kernel_size)


def _variance(x: Tensor, kernel_size: int) -> Tensor:
    return in_type_of(x, unclamped(x, kernel_size).relu_())


def unclamped(x: Tensor, kernel_size: int) -> Tensor:
    """Compute V in the accumulation dtype; rounding can make it slightly negative."""
    difference = centered(x)
    mean = eager_window_mean(difference, kernel_size)
    return eager_window_mean(difference.square_(), kernel_size).addcmul_(mean, mean, value=-1)


def centered(x: Tensor) -> Tensor:
    """Compute d = x - mean_map(x) in the accumulation dtype."""
    wide = upcast(x)
    return wide - F.avg_pool2d(wide, wide.shape[2:])


def backward(grad: Tensor, x: Tensor, kernel_size: int) -> Tensor:
    """grad_x = d * sum(u) - sum(u * mean(d)), u = 2 * grad / count."""
    grad_x = torch.empty_like(x)
    inverse = eager_inverse_count(x, kernel_size)
    for chunk in chunks(x):
        difference = centered(x[chunk])
        weight = upcast(grad[chunk]) * (2 * inverse)
        weighted_mean = eager_window_mean(difference, kernel_size).mul_(weight)
        total = difference.mul_(eager_window_sum(weight, kernel_size))
        torch.sub(total, eager_window_sum(weighted_mean, kernel_size), out=grad_x[chunk])
    return grad_x

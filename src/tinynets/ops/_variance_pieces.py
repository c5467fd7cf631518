"""`local_variance` in eager mode on the CPU, one piece of the batch at a time.

The differences are taken to the mean of the map, which takes the fewest passes over memory: V = mean(d^2) - mean(d)^2,
d = x - mean_map(x).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ._dispatch import by_piece, pieces
from ._windows import accumulable, eager_inverse_count, eager_window_mean, eager_window_sum, in_type_of


def forward(x: Tensor, kernel_size: int) -> Tensor:
    return by_piece(_variance, x, kernel_size)


def _variance(x: Tensor, kernel_size: int) -> Tensor:
    return in_type_of(x, unclamped(x, kernel_size).relu_())


def unclamped(x: Tensor, kernel_size: int) -> Tensor:
    """V in the type of sums. Rounding can make it negative where it is zero."""
    difference = centred(x)
    mean = eager_window_mean(difference, kernel_size)
    return eager_window_mean(difference.square_(), kernel_size).addcmul_(mean, mean, value=-1)


def centred(x: Tensor) -> Tensor:
    """d = x - mean_map(x), in the type of sums."""
    wide = accumulable(x)
    return wide - F.avg_pool2d(wide, wide.shape[2:])


def backward(grad: Tensor, x: Tensor, kernel_size: int) -> Tensor:
    """grad_x = d * sum(u) - sum(u * mean(d)), u = 2 * grad / count."""
    grad_x = torch.empty_like(x)
    inverse = eager_inverse_count(x, kernel_size)
    for piece in pieces(x):
        difference = centred(x[piece])
        weight = accumulable(grad[piece]) * (2 * inverse)
        weighted_mean = eager_window_mean(difference, kernel_size).mul_(weight)
        total = difference.mul_(eager_window_sum(weight, kernel_size))
        torch.sub(total, eager_window_sum(weighted_mean, kernel_size), out=grad_x[piece])
    return grad_x


class SmallVariance(torch.autograd.Function):
    """The variance of a small input, with what its gradient needs kept instead of computed again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel_size: int) -> Tensor:
        difference = centred(x)
        mean = eager_window_mean(difference, kernel_size)
        square = eager_window_mean(difference * difference, kernel_size)
        ctx.save_for_backward(x, difference, mean)
        ctx.kernel_size = kernel_size
        return in_type_of(x, square.addcmul_(mean, mean, value=-1).relu_())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, difference, mean = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative
            from .local_variance import _forward

            return torch.autograd.grad(_forward(x, ctx.kernel_size), x, grad, create_graph=True)[0], None
        grad = accumulable(grad)
        size, reach = [ctx.kernel_size] * 2, [ctx.kernel_size // 2] * 2
        to_windows = torch.ops.aten.avg_pool2d_backward
        direct = to_windows(grad, difference, size, [1, 1], reach, False, False, None)
        through_mean = to_windows(grad * mean, difference, size, [1, 1], reach, False, False, None)
        return in_type_of(x, direct.mul_(difference).sub_(through_mean).mul_(2)), None

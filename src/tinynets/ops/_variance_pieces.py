"""`local_variance` in eager mode on the CPU, one piece of the batch at a time, with few passes over memory."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ._dispatch import pieces
from ._windows import accumulable, eager_inverse_count, eager_window_sum, inverse_length


def three_by_three(x: Tensor) -> Tensor:
    """Variance in 3x3 windows of maps of at least 2x2 pixels, from differences of neighbours.

    V = mean_rows(Var_columns(x)) + Var_rows(mean_columns(x)). Three values with the differences a and b have the
    variance 2/9 (a^2 + ab + b^2). At the border there are two values, with the variance 1/4 b^2; there a = 0. The
    differences of the rows' means are the means of the differences.
    """
    scales = _scales(x.shape[2], x.shape[3], accumulable(x[:0]).dtype)
    variance = torch.empty_like(x)
    for piece in pieces(x):
        wide = accumulable(x[piece])
        squares = torch.empty_like(wide)
        _quadratic(_difference(wide, 3), 3, squares).mul_(scales.within_rows)
        within_rows = eager_window_sum(squares, 3, 1)
        _quadratic(eager_window_sum(_difference(wide, 2), 1, 3), 2, squares).mul_(scales.between_rows)
        torch.addcmul(squares, within_rows, scales.rows, out=variance[piece])
    return variance


def backward(grad: Tensor, x: Tensor, kernel_size: int) -> Tensor:
    """grad_x = x * sum(u) - sum(u * mean), u = 2 * grad / count, with the mean of the image subtracted from x first."""
    grad_x = torch.empty_like(x)
    inverse = eager_inverse_count(x, kernel_size)
    for piece in pieces(x):
        wide = accumulable(x[piece])
        wide = wide - wide.mean((2, 3), keepdim=True)
        weight = accumulable(grad[piece]) * (2 * inverse)
        weighted_mean = eager_window_sum(wide, kernel_size, kernel_size).mul_(weight).mul_(inverse)
        total = wide.mul_(eager_window_sum(weight, kernel_size, kernel_size))
        torch.sub(total, eager_window_sum(weighted_mean, kernel_size, kernel_size), out=grad_x[piece])
    return grad_x


class _Scales(NamedTuple):
    within_rows: Tensor
    between_rows: Tensor
    rows: Tensor


@lru_cache
def _scales(height: int, width: int, dtype: torch.dtype) -> _Scales:
    with torch.inference_mode(False):
        rows = inverse_length(torch.empty(height, dtype=dtype, device="cpu"), 0, 1).unsqueeze(1)
        columns = inverse_length(torch.empty(width, dtype=dtype, device="cpu"), 0, 1)
        return _Scales(_variance_scale(width, dtype), _variance_scale(height, dtype).unsqueeze(1) * columns**2, rows)


def _variance_scale(size: int, dtype: torch.dtype) -> Tensor:
    scale = torch.full((size,), 2 / 9, dtype=dtype, device="cpu")
    scale[0] = scale[-1] = 1 / 4
    return scale


def _difference(x: Tensor, dim: int) -> Tensor:
    """x_{i+1} - x_i along dim, one shorter than x."""
    size = x.shape[dim]
    return x.narrow(dim, 1, size - 1) - x.narrow(dim, 0, size - 1)


def _quadratic(differences: Tensor, dim: int, out: Tensor) -> Tensor:
    """a^2 + ab + b^2, where a and b are the differences on both sides of a pixel.

    It is computed as (a + b)^2 - ab, which is never negative and loses at most a factor 4/3 of precision.
    """
    size = out.shape[dim]
    torch.square(differences.select(dim, 0), out=out.select(dim, 0))
    torch.square(differences.select(dim, -1), out=out.select(dim, -1))
    a, b = differences.narrow(dim, 0, size - 2), differences.narrow(dim, 1, size - 2)
    inside = out.narrow(dim, 1, size - 2)
    torch.add(a, b, out=inside).square_().addcmul_(a, b, value=-1)
    return out

import torch
import triton.language as tl
from torch import Tensor

from ._maps import grid_over, inverse_count, jit, launcher, locate, offset, step_by, tiles, widen, within

# elements (pixels times channels) of a program's tile
FORWARD_TILE = 2048
BACKWARD_TILE = 1024


def forward(x: Tensor, kernel_size: int) -> Tensor:
    variance = torch.empty_like(x)
    tile = tiles(x, FORWARD_TILE)
    if x.numel() > 0:
        launcher(local_variance_kernel)[grid_over(x, tile)](
            x, variance, *x.stride(), *variance.stride(), **tile, RADIUS=kernel_size // 2
        )
    return variance


def backward(grad: Tensor, x: Tensor, kernel_size: int) -> Tensor:
    grad_x = torch.empty_like(x)
    shift = torch.empty_like(x, dtype=torch.promote_types(x.dtype, torch.float32))
    tile = tiles(x, BACKWARD_TILE)
    if x.numel() > 0:
        launcher(local_shift_kernel)[grid_over(x, tile)](
            x, shift, *x.stride(), *shift.stride(), **tile, RADIUS=kernel_size // 2
        )
        strides = (*grad.stride(), *x.stride(), *shift.stride(), *grad_x.stride())
        launcher(local_variance_backward_kernel)[grid_over(x, tile)](
            grad, x, shift, grad_x, *strides, **tile, RADIUS=kernel_size // 2
        )
    return grad_x


@jit
def centered_moments(x_ptr, at, h, w, H, W, sh, sw, exists, RADIUS: tl.constexpr):
    """Compute mean(d) and mean(d^2) over the window, where d is the difference from its center."""
    center = widen(tl.load(x_ptr + at, exists, 0.0))
    shift = tl.zeros_like(center)
    square = tl.zeros_like(center)
    for i in tl.static_range(-RADIUS, RADIUS + 1):
        for j in tl.static_range(-RADIUS, RADIUS + 1):
            if i != 0 or j != 0:
                inside = exists & within(h + i, w + j, H, W)
                d = tl.where(inside, widen(tl.load(x_ptr + at + step_by(i, j, sh, sw), inside, 0.0)) - center, 0.0)
                shift += d
                square += d * d
    inverse = inverse_count(h, w, H, W, RADIUS, square)
    return shift * inverse, square * inverse


@jit
def local_variance_kernel(
    x_ptr, y_ptr, sxn, sxc, sxh, sxw, syn, syc, syh, syw, C, H, W,
    RADIUS: tl.constexpr, BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr,
):  # fmt: skip
    n, c, h, w, exists = locate(C, H, W, BLOCK_PIXELS, BLOCK_CHANNELS)
    at = offset(n, c, h, w, sxn, sxc, sxh, sxw)
    shift, square = centered_moments(x_ptr, at, h, w, H, W, sxh, sxw, exists, RADIUS)
    variance = tl.maximum(square - shift * shift, 0.0, propagate_nan=tl.PropagateNan.ALL)
    tl.store(y_ptr + offset(n, c, h, w, syn, syc, syh, syw), variance, exists)


@jit
def local_shift_kernel(
    x_ptr, y_ptr, sxn, sxc, sxh, sxw, syn, syc, syh, syw, C, H, W,
    RADIUS: tl.constexpr, BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr,
):  # fmt: skip
    """Compute the mean of the window minus its center."""
    n, c, h, w, exists = locate(C, H, W, BLOCK_PIXELS, BLOCK_CHANNELS)
    at = offset(n, c, h, w, sxn, sxc, sxh, sxw)
    shift, _ = centered_moments(x_ptr, at, h, w, H, W, sxh, sxw, exists, RADIUS)
    tl.store(y_ptr + offset(n, c, h, w, syn, syc, syh, syw), shift, exists)


@jit
def local_variance_backward_kernel(
    g_ptr, x_ptr, shift_ptr, out_ptr,
    sgn, sgc, sgh, sgw, sxn, sxc, sxh, sxw, ssn, ssc, ssh, ssw, son, soc, soh, sow, C, H, W,
    RADIUS: tl.constexpr, BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr,
):  # fmt: skip
    """2 * sum over the windows i that the pixel is in of g_i / count_i * ((x - x_i) - shift_i)."""
    n, c, h, w, exists = locate(C, H, W, BLOCK_PIXELS, BLOCK_CHANNELS)
    at_g = offset(n, c, h, w, sgn, sgc, sgh, sgw)
    at_x = offset(n, c, h, w, sxn, sxc, sxh, sxw)
    at_s = offset(n, c, h, w, ssn, ssc, ssh, ssw)
    x = widen(tl.load(x_ptr + at_x, exists, 0.0))
    total = tl.zeros_like(x)
    for i in tl.static_range(-RADIUS, RADIUS + 1):
        for j in tl.static_range(-RADIUS, RADIUS + 1):
            inside = exists & within(h + i, w + j, H, W)
            g = widen(tl.load(g_ptr + at_g + step_by(i, j, sgh, sgw), inside, 0.0))
            center = widen(tl.load(x_ptr + at_x + step_by(i, j, sxh, sxw), inside, 0.0))
            shift = tl.load(shift_ptr + at_s + step_by(i, j, ssh, ssw), inside, 0.0)
            weighted = g * inverse_count(h + i, w + j, H, W, RADIUS, total)
            total += tl.where(inside, weighted * (x - center - shift), 0.0)
    tl.store(out_ptr + offset(n, c, h, w, son, soc, soh, sow), 2 * total, exists)

import torch
import triton.language as tl
from torch import Tensor

from ._maps import grid_over, inverse_count, jit, launcher, locate, offset, step_by, tiles, widen, within

# elements (pixels times channels) of a program's tile
FORWARD_TILE = 2048
BACKWARD_TILE = 1024


def forward(x: Tensor, kernel_size: int, eps: float) -> Tensor:
    y = torch.empty_like(x)
    tile = tiles(x, FORWARD_TILE)
    if x.numel() > 0:
        launcher(divisive_norm_kernel)[grid_over(x, tile)](
            x, y, *x.stride(), *y.stride(), **tile, EPS=eps, RADIUS=kernel_size // 2
        )
    return y


def backward(grad: Tensor, x: Tensor, kernel_size: int, eps: float) -> Tensor:
    grad_x = torch.empty_like(x)
    wide = torch.promote_types(x.dtype, torch.float32)
    direct, through_mean = torch.empty_like(x, dtype=wide), torch.empty_like(x, dtype=wide)
    tile = tiles(x, BACKWARD_TILE)
    if x.numel() > 0:
        strides = (*grad.stride(), *x.stride(), *direct.stride())
        launcher(divisive_norm_terms_kernel)[grid_over(x, tile)](
            grad, x, direct, through_mean, *strides, **tile, EPS=eps, RADIUS=kernel_size // 2
        )
        strides = (*x.stride(), *direct.stride(), *grad_x.stride())
        launcher(divisive_norm_backward_kernel)[grid_over(x, tile)](
            x, direct, through_mean, grad_x, *strides, **tile, RADIUS=kernel_size // 2
        )
    return grad_x


@jit
def denominator(x_ptr, at, h, w, H, W, sh, sw, exists, EPS: tl.constexpr, RADIUS: tl.constexpr):
    """eps + mean(|x|) over the window."""
    total = tl.abs(widen(tl.load(x_ptr + at, exists, 0.0)))
    for i in tl.static_range(-RADIUS, RADIUS + 1):
        for j in tl.static_range(-RADIUS, RADIUS + 1):
            if i != 0 or j != 0:
                inside = exists & within(h + i, w + j, H, W)
                total += tl.abs(widen(tl.load(x_ptr + at + step_by(i, j, sh, sw), inside, 0.0)))
    return total * inverse_count(h, w, H, W, RADIUS, total) + EPS


@jit
def divisive_norm_kernel(
    x_ptr, y_ptr, sxn, sxc, sxh, sxw, syn, syc, syh, syw, C, H, W,
    EPS: tl.constexpr, RADIUS: tl.constexpr, BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr,
):  # fmt: skip
    n, c, h, w, exists = locate(C, H, W, BLOCK_PIXELS, BLOCK_CHANNELS)
    at = offset(n, c, h, w, sxn, sxc, sxh, sxw)
    x = widen(tl.load(x_ptr + at, exists, 0.0))
    y = x / denominator(x_ptr, at, h, w, H, W, sxh, sxw, exists, EPS, RADIUS)
    tl.store(y_ptr + offset(n, c, h, w, syn, syc, syh, syw), y, exists)


@jit
def divisive_norm_terms_kernel(
    g_ptr, x_ptr, direct_ptr, through_ptr, sgn, sgc, sgh, sgw, sxn, sxc, sxh, sxw, sdn, sdc, sdh, sdw, C, H, W,
    EPS: tl.constexpr, RADIUS: tl.constexpr, BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr,
):  # fmt: skip
    """Compute the gradient's terms g / d and g x / d^2 / count; the latter is summed over windows, times -sign(x)."""
    n, c, h, w, exists = locate(C, H, W, BLOCK_PIXELS, BLOCK_CHANNELS)
    at = offset(n, c, h, w, sxn, sxc, sxh, sxw)
    scale = 1 / denominator(x_ptr, at, h, w, H, W, sxh, sxw, exists, EPS, RADIUS)
    direct = widen(tl.load(g_ptr + offset(n, c, h, w, sgn, sgc, sgh, sgw), exists, 0.0)) * scale
    through = direct * widen(tl.load(x_ptr + at, exists, 0.0)) * scale * inverse_count(h, w, H, W, RADIUS, scale)
    to = offset(n, c, h, w, sdn, sdc, sdh, sdw)
    tl.store(direct_ptr + to, direct, exists)
    tl.store(through_ptr + to, through, exists)


@jit
def divisive_norm_backward_kernel(
    x_ptr, direct_ptr, through_ptr, out_ptr, sxn, sxc, sxh, sxw, sdn, sdc, sdh, sdw, son, soc, soh, sow, C, H, W,
    RADIUS: tl.constexpr, BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr,
):  # fmt: skip
    n, c, h, w, exists = locate(C, H, W, BLOCK_PIXELS, BLOCK_CHANNELS)
    x = tl.load(x_ptr + offset(n, c, h, w, sxn, sxc, sxh, sxw), exists, 0.0)
    at = offset(n, c, h, w, sdn, sdc, sdh, sdw)
    total = tl.load(through_ptr + at, exists, 0.0)
    for i in tl.static_range(-RADIUS, RADIUS + 1):
        for j in tl.static_range(-RADIUS, RADIUS + 1):
            if i != 0 or j != 0:
                inside = exists & within(h + i, w + j, H, W)
                total += tl.load(through_ptr + at + step_by(i, j, sdh, sdw), inside, 0.0)
    total = tl.where(x > 0, total, tl.where(x < 0, -total, 0.0))
    grad_x = tl.load(direct_ptr + at, exists, 0.0) - total
    tl.store(out_ptr + offset(n, c, h, w, son, soc, soh, sow), grad_x, exists)

"""Shared code of the kernels over (N, C, H, W) maps: the grid of programs and the access to windows."""

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl
from torch import Tensor
from torch.library import wrap_triton


def launcher(kernel: Any) -> Any:
    """Wrap kernel[grid] for torch.compile; kernels of Triton's interpreter are not wrapped."""
    return wrap_triton(kernel) if isinstance(kernel, triton.JITFunction) else kernel


def tiles(x: Tensor, elements: int) -> dict[str, int]:
    """Return the arguments of `locate`: the numbers of pixels and channels of one image in a program's tile.

    In channels_last memory neighboring lanes process neighboring channels, and a power of two that divides the number
    of channels allows loads of 16 bytes.
    """
    _, c, h, w = x.shape
    pixels = max(16, triton.next_power_of_2(h * w))
    if x.stride(1) == 1:
        channels = min(64, c & -c)
        if channels < 16:
            channels = min(32, triton.next_power_of_2(c))
    else:
        channels = max(1, min(elements // pixels, triton.next_power_of_2(c)))
    pixels = min(elements // channels, pixels)
    return {"C": c, "H": h, "W": w, "BLOCK_PIXELS": pixels, "BLOCK_CHANNELS": channels}


def grid_over(x: Tensor, tile: dict[str, int]) -> tuple[int]:
    """Return the grid with one program per tile."""
    pixels = triton.cdiv(tile["H"] * tile["W"], tile["BLOCK_PIXELS"])
    return (x.shape[0] * pixels * triton.cdiv(tile["C"], tile["BLOCK_CHANNELS"]),)


jit: Callable[[Any], Any] = triton.jit


@jit
def widen(x):
    if x.dtype == tl.float64:
        return x
    else:
        return x.to(tl.float32)


@jit
def locate(C, H, W, BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr):
    """Return this program's image, channels (1, ...), rows and columns (..., 1), and the mask of valid elements."""
    pixel_blocks = tl.cdiv(H * W, BLOCK_PIXELS)
    channel_blocks = tl.cdiv(C, BLOCK_CHANNELS)
    c = (tl.program_id(0) % channel_blocks) * BLOCK_CHANNELS + tl.arange(0, BLOCK_CHANNELS)
    block = tl.program_id(0) // channel_blocks
    n = (block // pixel_blocks).to(tl.int64)
    pixel = (block % pixel_blocks) * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)
    exists = (pixel < H * W)[:, None] & (c < C)[None, :]
    return n, c[None, :], (pixel // W)[:, None], (pixel % W)[:, None], exists


@jit
def offset(n, c, h, w, sn, sc, sh, sw):
    return (n * sn + h.to(tl.int64) * sh + w.to(tl.int64) * sw) + c.to(tl.int64) * sc


@jit
def step_by(i, j, sh, sw):
    """Return the 64-bit offset of the pixel i rows and j columns further; row strides may reach 2^30 elements."""
    return tl.full([], i, tl.int64) * sh + tl.full([], j, tl.int64) * sw


@jit
def within(h, w, H, W):
    return (h >= 0) & (h < H) & (w >= 0) & (w < W)


@jit
def inverse_count(h, w, H, W, RADIUS: tl.constexpr, like):
    """Return 1 / number of pixels of the clipped window around (h, w), in the dtype of like."""
    rows = tl.minimum(h, RADIUS) + tl.minimum(H - 1 - h, RADIUS) + 1
    columns = tl.minimum(w, RADIUS) + tl.minimum(W - 1 - w, RADIUS) + 1
    return 1.0 / (rows * columns).to(like.dtype)

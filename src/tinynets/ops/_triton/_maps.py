"""What the kernels over (N, C, H, W) maps share: how programs are laid over them, and how windows are read."""

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl
from torch import Tensor
from torch.library import wrap_triton


def launcher(kernel: Any) -> Any:
    """kernel[grid](...), such that torch.compile sees it; Triton's interpreter has kernels of its own kind."""
    return wrap_triton(kernel) if isinstance(kernel, triton.JITFunction) else kernel


def grid_over(x: Tensor, block: int) -> tuple[int]:
    """One program for every `block` elements of every image."""
    return (x.shape[0] * triton.cdiv(x[:1].numel(), block),)


def sizes(x: Tensor) -> dict[str, int]:
    """Arguments of `locate`. Neighbouring lanes take neighbouring memory: channels vary fastest in channels_last."""
    return {"C": x.shape[1], "H": x.shape[2], "W": x.shape[3], "CHANNELS_LAST": x.stride(1) == 1}


jit: Callable[[Any], Any] = triton.jit


@jit
def widen(x):
    if x.dtype == tl.float64:
        return x
    else:
        return x.to(tl.float32)


@jit
def locate(C, H, W, CHANNELS_LAST: tl.constexpr, BLOCK: tl.constexpr):
    """The image, channel, row and column of this program's lanes, and which of them exist."""
    blocks = tl.cdiv(C * H * W, BLOCK)
    n = (tl.program_id(0) // blocks).to(tl.int64)
    index = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    exists = index < C * H * W
    if CHANNELS_LAST:
        c = index % C
        w = (index // C) % W
        h = index // (C * W)
    else:
        w = index % W
        h = (index // W) % H
        c = index // (H * W)
    return n, c, h, w, exists


@jit
def offset(n, c, h, w, sn, sc, sh, sw):
    return n * sn + c.to(tl.int64) * sc + h.to(tl.int64) * sh + w.to(tl.int64) * sw


@jit
def step_by(i, j, sh, sw):
    """From a pixel to the one i rows and j columns on, in 64 bits: rows may lie 2^30 elements apart."""
    return tl.full([], i, tl.int64) * sh + tl.full([], j, tl.int64) * sw


@jit
def within(h, w, H, W):
    return (h >= 0) & (h < H) & (w >= 0) & (w < W)


@jit
def window_count(h, w, H, W, RADIUS: tl.constexpr):
    """Pixels of the window around (h, w) that lie inside the map."""
    rows = tl.minimum(h, RADIUS) + tl.minimum(H - 1 - h, RADIUS) + 1
    columns = tl.minimum(w, RADIUS) + tl.minimum(W - 1 - w, RADIUS) + 1
    return rows * columns

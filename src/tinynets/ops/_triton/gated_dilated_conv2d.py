from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from ._maps import grid_over, jit, launcher, locate, offset, sizes, step_by, widen, within

BLOCK = 256
BLOCK_CHANNELS = 32
BLOCK_PIXELS = 32
SPLITS = 64


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    y = torch.empty_like(x)
    if x.numel() > 0:
        bias_or_any = weight if bias is None else bias
        strides = (*x.stride(), *_weight_strides(weight), bias_or_any.stride(0), *gate.stride(), *y.stride())
        launcher(gated_conv_kernel)[grid_over(x, BLOCK)](
            x, weight, bias_or_any, gate, y, *strides, **sizes(x), **_kernel(x, weight, dilations),
            HAS_BIAS=bias is not None, BLOCK=BLOCK,
        )  # fmt: skip
    return y


def backward(
    grad: Tensor, x: Tensor, weight: Tensor, gate: Tensor, dilations: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    grad_x, grad_gate = torch.empty_like(x), torch.empty_like(gate)
    if x.numel() == 0:
        return grad_x, torch.zeros_like(weight), grad_gate
    n, c, h, w = x.shape
    kernel = _kernel(x, weight, dilations)
    strides = (*grad.stride(), *_weight_strides(weight), *gate.stride(), *grad_x.stride())
    launcher(gated_conv_grad_x_kernel)[grid_over(x, BLOCK)](
        grad, weight, gate, grad_x, *strides, **sizes(x), **kernel, BLOCK=BLOCK
    )

    tile = {
        "BLOCK_PIXELS": min(BLOCK_PIXELS, triton.next_power_of_2(h * w)),
        "BLOCK_CHANNELS": min(BLOCK_CHANNELS, triton.next_power_of_2(c)),
    }
    strides = (*grad.stride(), *x.stride(), *_weight_strides(weight), *grad_gate.stride())
    launcher(gated_conv_grad_gate_kernel)[(n * triton.cdiv(h * w, tile["BLOCK_PIXELS"]),)](
        grad, x, weight, grad_gate, *strides, c, h, w, **kernel, **tile
    )

    splits, taps = min(SPLITS, n), weight[0].numel()
    wide = torch.promote_types(x.dtype, torch.float32)
    parts = torch.empty(splits, c, taps, dtype=wide, device=x.device)
    strides = (*grad.stride(), *x.stride(), *gate.stride())
    launcher(gated_conv_grad_weight_kernel)[(triton.cdiv(c, tile["BLOCK_CHANNELS"]), taps, splits)](
        grad, x, gate, parts, *strides, n, c, h, w, splits, **kernel, **tile
    )
    grad_weight = torch.empty_like(weight)
    grad_weight.copy_(parts.sum(0).view(weight.shape))
    return grad_x, grad_weight, grad_gate


def _weight_strides(weight: Tensor) -> tuple[int, int, int]:
    return weight.stride(0), weight.stride(2), weight.stride(3)


def _kernel(x: Tensor, weight: Tensor, dilations: Sequence[int]) -> dict[str, int]:
    """What the kernels know at compile time: side of the kernel, dilations, 10 bits each, from the lowest up, and a bit
    for each dilation so large that only its centre tap sees anything but padding."""
    packed = sum(dilation << (10 * k) for k, dilation in enumerate(dilations))
    centre_only = sum((dilation >= max(x.shape[2:])) << k for k, dilation in enumerate(dilations))
    return {"KERNEL": weight.shape[-1], "GATES": len(dilations), "DILATIONS": packed, "CENTRE_ONLY": centre_only}


@jit
def gated_conv_kernel(
    x_ptr, w_ptr, b_ptr, g_ptr, y_ptr,
    sxn, sxc, sxh, sxw, swc, swh, sww, sbc, sgn, sgc, sgh, sgw, syn, syc, syh, syw, C, H, W,
    CHANNELS_LAST: tl.constexpr, KERNEL: tl.constexpr, GATES: tl.constexpr, DILATIONS: tl.constexpr,
    CENTRE_ONLY: tl.constexpr, HAS_BIAS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    n, c, h, w, exists = locate(C, H, W, CHANNELS_LAST, BLOCK)
    REACH: tl.constexpr = KERNEL // 2
    at_x = offset(n, c, h, w, sxn, sxc, sxh, sxw)
    at_g = n * sgn + h.to(tl.int64) * sgh + w.to(tl.int64) * sgw
    w_ptrs = w_ptr + c.to(tl.int64) * swc
    centre = widen(tl.load(x_ptr + at_x, exists, 0.0)) * widen(tl.load(w_ptrs + REACH * (swh + sww), exists, 0.0))
    if HAS_BIAS:  # noqa: SIM108 (decided when the kernel is compiled)
        y = widen(tl.load(b_ptr + c.to(tl.int64) * sbc, exists, 0.0))
    else:
        y = tl.zeros_like(centre)
    for k in tl.static_range(GATES):
        D = (DILATIONS >> (10 * k)) & 1023
        branch = centre
        if (CENTRE_ONLY >> k) & 1 == 0:
            for i in tl.static_range(-REACH, REACH + 1):
                for j in tl.static_range(-REACH, REACH + 1):
                    if i != 0 or j != 0:
                        inside = exists & within(h + i * D, w + j * D, H, W)
                        tap = widen(tl.load(w_ptrs + (i + REACH) * swh + (j + REACH) * sww, exists, 0.0))
                        branch += tap * widen(tl.load(x_ptr + at_x + step_by(i * D, j * D, sxh, sxw), inside, 0.0))
        y += branch * widen(tl.load(g_ptr + at_g + k * sgc, exists, 0.0))
    tl.store(y_ptr + offset(n, c, h, w, syn, syc, syh, syw), y, exists)


@jit
def gated_conv_grad_x_kernel(
    u_ptr, w_ptr, g_ptr, out_ptr,
    sun, suc, suh, suw, swc, swh, sww, sgn, sgc, sgh, sgw, son, soc, soh, sow, C, H, W,
    CHANNELS_LAST: tl.constexpr, KERNEL: tl.constexpr, GATES: tl.constexpr, DILATIONS: tl.constexpr,
    CENTRE_ONLY: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Every output u that saw this pixel through a tap, times that tap and the output's gate."""
    n, c, h, w, exists = locate(C, H, W, CHANNELS_LAST, BLOCK)
    REACH: tl.constexpr = KERNEL // 2
    at_u = offset(n, c, h, w, sun, suc, suh, suw)
    at_g = n * sgn + h.to(tl.int64) * sgh + w.to(tl.int64) * sgw
    w_ptrs = w_ptr + c.to(tl.int64) * swc
    centre = widen(tl.load(u_ptr + at_u, exists, 0.0)) * widen(tl.load(w_ptrs + REACH * (swh + sww), exists, 0.0))
    total = tl.zeros_like(centre)
    for k in tl.static_range(GATES):
        D = (DILATIONS >> (10 * k)) & 1023
        total += centre * widen(tl.load(g_ptr + at_g + k * sgc, exists, 0.0))
        if (CENTRE_ONLY >> k) & 1 == 0:
            for i in tl.static_range(-REACH, REACH + 1):
                for j in tl.static_range(-REACH, REACH + 1):
                    if i != 0 or j != 0:
                        inside = exists & within(h - i * D, w - j * D, H, W)
                        tap = widen(tl.load(w_ptrs + (i + REACH) * swh + (j + REACH) * sww, exists, 0.0))
                        u = widen(tl.load(u_ptr + at_u - step_by(i * D, j * D, suh, suw), inside, 0.0))
                        g = widen(tl.load(g_ptr + at_g + k * sgc - step_by(i * D, j * D, sgh, sgw), inside, 0.0))
                        total += tap * u * g
    tl.store(out_ptr + offset(n, c, h, w, son, soc, soh, sow), total, exists)


@jit
def gated_conv_grad_gate_kernel(
    u_ptr, x_ptr, w_ptr, out_ptr,
    sun, suc, suh, suw, sxn, sxc, sxh, sxw, swc, swh, sww, son, soc, soh, sow, C, H, W,
    KERNEL: tl.constexpr, GATES: tl.constexpr, DILATIONS: tl.constexpr, CENTRE_ONLY: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr,
):  # fmt: skip
    """For a block of pixels and every gate: sum over the channels of upstream gradient times branch."""
    blocks = tl.cdiv(H * W, BLOCK_PIXELS)
    n = (tl.program_id(0) // blocks).to(tl.int64)
    pixel = (tl.program_id(0) % blocks) * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)
    exists = pixel < H * W
    h = pixel // W
    w = pixel % W
    REACH: tl.constexpr = KERNEL // 2
    for k in tl.static_range(GATES):
        D = (DILATIONS >> (10 * k)) & 1023
        total = tl.sum(widen(tl.zeros([BLOCK_PIXELS, BLOCK_CHANNELS], u_ptr.dtype.element_ty)), 1)
        for start in range(0, C, BLOCK_CHANNELS):
            c = start + tl.arange(0, BLOCK_CHANNELS)
            mask = exists[:, None] & (c < C)[None, :]
            at_x = offset(n, c[None, :], h[:, None], w[:, None], sxn, sxc, sxh, sxw)
            w_ptrs = w_ptr + c.to(tl.int64)[None, :] * swc
            tap = widen(tl.load(w_ptrs + REACH * (swh + sww), (c < C)[None, :], 0.0))
            branch = tap * widen(tl.load(x_ptr + at_x, mask, 0.0))
            if (CENTRE_ONLY >> k) & 1 == 0:
                for i in tl.static_range(-REACH, REACH + 1):
                    for j in tl.static_range(-REACH, REACH + 1):
                        if i != 0 or j != 0:
                            inside = mask & within(h + i * D, w + j * D, H, W)[:, None]
                            tap = widen(tl.load(w_ptrs + (i + REACH) * swh + (j + REACH) * sww, (c < C)[None, :], 0.0))
                            branch += tap * widen(tl.load(x_ptr + at_x + step_by(i * D, j * D, sxh, sxw), inside, 0.0))
            u = tl.load(u_ptr + offset(n, c[None, :], h[:, None], w[:, None], sun, suc, suh, suw), mask, 0.0)
            total += tl.sum(widen(u) * branch, 1)
        at = n * son + k * soc + h.to(tl.int64) * soh + w.to(tl.int64) * sow
        tl.store(out_ptr + at, total, exists)


@jit
def gated_conv_grad_weight_kernel(
    u_ptr, x_ptr, g_ptr, parts_ptr, sun, suc, suh, suw, sxn, sxc, sxh, sxw, sgn, sgc, sgh, sgw, N, C, H, W, splits,
    KERNEL: tl.constexpr, GATES: tl.constexpr, DILATIONS: tl.constexpr, CENTRE_ONLY: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr,
):  # fmt: skip
    """One tap of a block of channels, summed over every splits-th image: parts (splits, C, taps)."""
    c = tl.program_id(0) * BLOCK_CHANNELS + tl.arange(0, BLOCK_CHANNELS)
    tap = tl.program_id(1)
    split = tl.program_id(2)
    i = tap // KERNEL - KERNEL // 2
    j = tap % KERNEL - KERNEL // 2
    total = tl.sum(widen(tl.zeros([BLOCK_PIXELS, BLOCK_CHANNELS], u_ptr.dtype.element_ty)), 0)
    for image in range(split, N, splits):
        n = tl.cast(image, tl.int64)
        for start in range(0, H * W, BLOCK_PIXELS):
            pixel = start + tl.arange(0, BLOCK_PIXELS)
            h = pixel // W
            w = pixel % W
            mask = (pixel < H * W)[:, None] & (c < C)[None, :]
            u = tl.load(u_ptr + offset(n, c[None, :], h[:, None], w[:, None], sun, suc, suh, suw), mask, 0.0)
            for k in tl.static_range(GATES):
                D = (DILATIONS >> (10 * k)) & 1023
                seen = (pixel < H * W) & within(h + i * D, w + j * D, H, W)
                g = tl.load(g_ptr + n * sgn + k * sgc + h.to(tl.int64) * sgh + w.to(tl.int64) * sgw, seen, 0.0)
                at_x = offset(n, c[None, :], (h + i * D)[:, None], (w + j * D)[:, None], sxn, sxc, sxh, sxw)
                x = tl.load(x_ptr + at_x, mask & seen[:, None], 0.0)
                total += tl.sum(widen(u) * widen(g)[:, None] * widen(x), 0)
    at = (split * C + c) * (KERNEL * KERNEL) + tap
    tl.store(parts_ptr + at, total, c < C)

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from ._maps import grid_over, jit, launcher, locate, offset, step_by, tiles, widen, within

# elements (pixels times channels) of a program's tile
FORWARD_TILE = 2048
GRAD_X_TILE = 1024
GRAD_GATE_TILE = 2048
GRAD_WEIGHT_TILE = 4096
PROGRAMS = 1024  # of the kernel that sums over images and pixels: enough to fill a GPU


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, gate: Tensor | None, dilations: Sequence[int]) -> Tensor:
    """Compute the convolution; gate None stands for a gate of 1."""
    y = torch.empty_like(x)
    if x.numel() > 0:
        taps, tile, gate_arg = _by_taps(weight), tiles(x, FORWARD_TILE), _or_dummy(gate, x)
        bias_arg = _or_dummy(bias, taps)
        strides = (*x.stride(), *taps.stride(), bias_arg.stride(-1), *gate_arg.stride(), *y.stride())
        launcher(gated_conv_kernel)[grid_over(x, tile)](
            x, taps, bias_arg, gate_arg, y, *strides, **tile, **_kernel(x, weight, dilations),
            GATED=gate is not None, HAS_BIAS=bias is not None,
        )  # fmt: skip
    return y


def backward(
    grad: Tensor, x: Tensor, weight: Tensor, gate: Tensor, dilations: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        grad_of_x(grad, x, weight, gate, dilations),
        grad_of_weight(grad, x, weight, gate, dilations),
        _grad_of_gate(grad, x, weight, gate, dilations),
    )


def grad_of_x(grad: Tensor, x: Tensor, weight: Tensor, gate: Tensor | None, dilations: Sequence[int]) -> Tensor:
    grad_x = torch.empty_like(x)
    if x.numel() > 0:
        taps, tile, gate_arg = _by_taps(weight), tiles(x, GRAD_X_TILE), _or_dummy(gate, x)
        strides = (*grad.stride(), *taps.stride(), *gate_arg.stride(), *grad_x.stride())
        launcher(gated_conv_grad_x_kernel)[grid_over(x, tile)](
            grad, taps, gate_arg, grad_x, *strides, **tile, **_kernel(x, weight, dilations), GATED=gate is not None
        )
    return grad_x


def grad_of_weight(grad: Tensor, x: Tensor, weight: Tensor, gate: Tensor | None, dilations: Sequence[int]) -> Tensor:
    if x.numel() == 0:
        return torch.zeros_like(weight)
    tile, gate_arg, taps = tiles(x, GRAD_WEIGHT_TILE), _or_dummy(gate, x), weight[0].numel()
    blocks = x.shape[0] * triton.cdiv(tile["H"] * tile["W"], tile["BLOCK_PIXELS"])
    channel_blocks = triton.cdiv(tile["C"], tile["BLOCK_CHANNELS"])
    splits = min(blocks, triton.cdiv(PROGRAMS, channel_blocks))
    wide = torch.promote_types(x.dtype, torch.float32)
    parts = torch.empty(splits, taps, tile["C"], dtype=wide, device=x.device)
    strides = (*grad.stride(), *x.stride(), *gate_arg.stride())
    launcher(gated_conv_grad_weight_kernel)[(channel_blocks, splits)](
        grad, x, gate_arg, parts, *strides, blocks, splits, **tile, **_kernel(x, weight, dilations),
        GATED=gate is not None, TAPS_PADDED=triton.next_power_of_2(taps),
    )  # fmt: skip
    grad_weight = torch.empty_like(weight)
    grad_weight.copy_(parts.sum(0).t().reshape(weight.shape))
    return grad_weight


def _grad_of_gate(grad: Tensor, x: Tensor, weight: Tensor, gate: Tensor, dilations: Sequence[int]) -> Tensor:
    grad_gate = torch.empty_like(gate)
    if x.numel() > 0:
        taps, tile = _by_taps(weight), tiles(x, GRAD_GATE_TILE)
        blocks = triton.cdiv(tile["H"] * tile["W"], tile["BLOCK_PIXELS"])
        strides = (*grad.stride(), *x.stride(), *taps.stride(), *grad_gate.stride())
        launcher(gated_conv_grad_gate_kernel)[(x.shape[0] * blocks,)](
            grad, x, taps, grad_gate, *strides, **tile, **_kernel(x, weight, dilations),
            GATES_PADDED=triton.next_power_of_2(len(dilations)),
        )  # fmt: skip
    return grad_gate


def _by_taps(weight: Tensor) -> Tensor:
    """Return the weight as (K * K, C) in the accumulation dtype, so that loads over channels are contiguous."""
    wide = torch.promote_types(weight.dtype, torch.float32)
    taps = torch.empty(weight[0].numel(), weight.shape[0], dtype=wide, device=weight.device)
    return taps.copy_(weight.flatten(1).t())


def _or_dummy(tensor: Tensor | None, dummy: Tensor) -> Tensor:
    """Substitute a tensor for None, since kernels need a valid pointer even for arguments that they do not read."""
    return dummy if tensor is None else tensor


def _kernel(x: Tensor, weight: Tensor, dilations: Sequence[int]) -> dict[str, Any]:
    """Return the compile-time constants: kernel size, dilations (10 bits each, from the lowest up), and a bitmask of
    the dilations so large that all elements but the center overlap only padding."""
    packed = sum(dilation << (10 * k) for k, dilation in enumerate(dilations))
    center_only = sum((dilation >= max(x.shape[2:])) << k for k, dilation in enumerate(dilations))
    return {"KERNEL": weight.shape[-1], "GATES": len(dilations), "DILATIONS": packed, "CENTRE_ONLY": center_only}


@jit
def gated_conv_kernel(
    x_ptr, w_ptr, b_ptr, g_ptr, y_ptr,
    sxn, sxc, sxh, sxw, swt, swc, sbc, sgn, sgc, sgh, sgw, syn, syc, syh, syw, C, H, W,
    KERNEL: tl.constexpr, GATES: tl.constexpr, DILATIONS: tl.constexpr, CENTRE_ONLY: tl.constexpr,
    GATED: tl.constexpr, HAS_BIAS: tl.constexpr, BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr,
):  # fmt: skip
    n, c, h, w, exists = locate(C, H, W, BLOCK_PIXELS, BLOCK_CHANNELS)
    REACH: tl.constexpr = KERNEL // 2
    at_x = offset(n, c, h, w, sxn, sxc, sxh, sxw)
    at_g = n * sgn + h.to(tl.int64) * sgh + w.to(tl.int64) * sgw
    w_ptrs = w_ptr + c.to(tl.int64) * swc
    middle: tl.constexpr = REACH * KERNEL + REACH
    center = widen(tl.load(x_ptr + at_x, exists, 0.0)) * widen(tl.load(w_ptrs + middle * swt, c < C, 0.0))
    y = tl.zeros_like(center)
    if HAS_BIAS:
        y += widen(tl.load(b_ptr + c.to(tl.int64) * sbc, c < C, 0.0))
    for k in tl.static_range(GATES):
        D = (DILATIONS >> (10 * k)) & 1023
        branch = center
        if (CENTRE_ONLY >> k) & 1 == 0:
            for i in tl.static_range(-REACH, REACH + 1):
                for j in tl.static_range(-REACH, REACH + 1):
                    if i != 0 or j != 0:
                        inside = exists & within(h + i * D, w + j * D, H, W)
                        tap = widen(tl.load(w_ptrs + ((i + REACH) * KERNEL + j + REACH) * swt, c < C, 0.0))
                        branch += tap * widen(tl.load(x_ptr + at_x + step_by(i * D, j * D, sxh, sxw), inside, 0.0))
        if GATED:
            branch *= widen(tl.load(g_ptr + at_g + k * sgc, h < H, 0.0))
        y += branch
    tl.store(y_ptr + offset(n, c, h, w, syn, syc, syh, syw), y, exists)


@jit
def gated_conv_grad_x_kernel(
    u_ptr, w_ptr, g_ptr, out_ptr,
    sun, suc, suh, suw, swt, swc, sgn, sgc, sgh, sgw, son, soc, soh, sow, C, H, W,
    KERNEL: tl.constexpr, GATES: tl.constexpr, DILATIONS: tl.constexpr, CENTRE_ONLY: tl.constexpr,
    GATED: tl.constexpr, BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr,
):  # fmt: skip
    """Sum over kernel elements of the upstream gradient u, times the element and the gate at u."""
    n, c, h, w, exists = locate(C, H, W, BLOCK_PIXELS, BLOCK_CHANNELS)
    REACH: tl.constexpr = KERNEL // 2
    at_u = offset(n, c, h, w, sun, suc, suh, suw)
    at_g = n * sgn + h.to(tl.int64) * sgh + w.to(tl.int64) * sgw
    w_ptrs = w_ptr + c.to(tl.int64) * swc
    middle: tl.constexpr = REACH * KERNEL + REACH
    center = widen(tl.load(u_ptr + at_u, exists, 0.0)) * widen(tl.load(w_ptrs + middle * swt, c < C, 0.0))
    total = tl.zeros_like(center)
    for k in tl.static_range(GATES):
        D = (DILATIONS >> (10 * k)) & 1023
        if GATED:
            total += center * widen(tl.load(g_ptr + at_g + k * sgc, h < H, 0.0))
        else:
            total += center
        if (CENTRE_ONLY >> k) & 1 == 0:
            for i in tl.static_range(-REACH, REACH + 1):
                for j in tl.static_range(-REACH, REACH + 1):
                    if i != 0 or j != 0:
                        inside = (h < H) & within(h - i * D, w - j * D, H, W)
                        tap = widen(tl.load(w_ptrs + ((i + REACH) * KERNEL + j + REACH) * swt, c < C, 0.0))
                        u = widen(tl.load(u_ptr + at_u - step_by(i * D, j * D, suh, suw), exists & inside, 0.0))
                        if GATED:
                            g_ptrs = g_ptr + at_g + k * sgc - step_by(i * D, j * D, sgh, sgw)
                            u *= widen(tl.load(g_ptrs, inside, 0.0))
                        total += tap * u
    tl.store(out_ptr + offset(n, c, h, w, son, soc, soh, sow), total, exists)


@jit
def gated_conv_grad_gate_kernel(
    u_ptr, x_ptr, w_ptr, out_ptr,
    sun, suc, suh, suw, sxn, sxc, sxh, sxw, swt, swc, son, soc, soh, sow, C, H, W,
    KERNEL: tl.constexpr, GATES: tl.constexpr, DILATIONS: tl.constexpr, CENTRE_ONLY: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr, GATES_PADDED: tl.constexpr,
):  # fmt: skip
    """Sum upstream gradient times branch over the channels, for a block of pixels and every gate."""
    blocks = tl.cdiv(H * W, BLOCK_PIXELS)
    n = (tl.program_id(0) // blocks).to(tl.int64)
    pixel = (tl.program_id(0) % blocks) * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)[:, None]
    h, w = pixel // W, pixel % W
    gates = tl.arange(0, GATES_PADDED)[None, :]
    REACH: tl.constexpr = KERNEL // 2
    middle: tl.constexpr = REACH * KERNEL + REACH
    total = widen(tl.zeros([BLOCK_PIXELS, GATES_PADDED], u_ptr.dtype.element_ty))
    for start in range(0, C, BLOCK_CHANNELS):
        c = start + tl.arange(0, BLOCK_CHANNELS)[None, :]
        exists = (h < H) & (c < C)
        at_x = offset(n, c, h, w, sxn, sxc, sxh, sxw)
        w_ptrs = w_ptr + c.to(tl.int64) * swc
        u = widen(tl.load(u_ptr + offset(n, c, h, w, sun, suc, suh, suw), exists, 0.0))
        center = widen(tl.load(x_ptr + at_x, exists, 0.0)) * widen(tl.load(w_ptrs + middle * swt, c < C, 0.0))
        for k in tl.static_range(GATES):
            D = (DILATIONS >> (10 * k)) & 1023
            branch = center
            if (CENTRE_ONLY >> k) & 1 == 0:
                for i in tl.static_range(-REACH, REACH + 1):
                    for j in tl.static_range(-REACH, REACH + 1):
                        if i != 0 or j != 0:
                            inside = exists & within(h + i * D, w + j * D, H, W)
                            tap = widen(tl.load(w_ptrs + ((i + REACH) * KERNEL + j + REACH) * swt, c < C, 0.0))
                            x = tl.load(x_ptr + at_x + step_by(i * D, j * D, sxh, sxw), inside, 0.0)
                            branch += tap * widen(x)
            total += tl.where(gates == k, tl.sum(u * branch, 1)[:, None], 0.0)
    at = n * son + gates * soc + h.to(tl.int64) * soh + w.to(tl.int64) * sow
    tl.store(out_ptr + at, total, (h < H) & (gates < GATES))


@jit
def gated_conv_grad_weight_kernel(
    u_ptr, x_ptr, g_ptr, parts_ptr, sun, suc, suh, suw, sxn, sxc, sxh, sxw, sgn, sgc, sgh, sgw,
    blocks, splits, C, H, W,
    KERNEL: tl.constexpr, GATES: tl.constexpr, DILATIONS: tl.constexpr, CENTRE_ONLY: tl.constexpr,
    GATED: tl.constexpr, BLOCK_PIXELS: tl.constexpr, BLOCK_CHANNELS: tl.constexpr, TAPS_PADDED: tl.constexpr,
):  # fmt: skip
    """Partial weight gradients (splits, taps, C): a program sums every splits-th block of pixels for some channels."""
    c = tl.program_id(0) * BLOCK_CHANNELS + tl.arange(0, BLOCK_CHANNELS)[None, :]
    taps = tl.arange(0, TAPS_PADDED)[:, None]
    REACH: tl.constexpr = KERNEL // 2
    total = widen(tl.zeros([TAPS_PADDED, BLOCK_CHANNELS], u_ptr.dtype.element_ty))
    blocks_each = tl.cdiv(H * W, BLOCK_PIXELS)
    for block in range(tl.program_id(1), blocks, splits):
        n = (block // blocks_each).to(tl.int64)
        pixel = (block % blocks_each) * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)[:, None]
        h, w = pixel // W, pixel % W
        exists = (h < H) & (c < C)
        at_x = offset(n, c, h, w, sxn, sxc, sxh, sxw)
        at_g = n * sgn + h.to(tl.int64) * sgh + w.to(tl.int64) * sgw
        u = widen(tl.load(u_ptr + offset(n, c, h, w, sun, suc, suh, suw), exists, 0.0))
        for i in tl.static_range(-REACH, REACH + 1):
            for j in tl.static_range(-REACH, REACH + 1):
                product = tl.zeros_like(u)
                for k in tl.static_range(GATES):
                    D = (DILATIONS >> (10 * k)) & 1023
                    if (CENTRE_ONLY >> k) & 1 == 0 or (i == 0 and j == 0):
                        inside = exists & within(h + i * D, w + j * D, H, W)
                        x = widen(tl.load(x_ptr + at_x + step_by(i * D, j * D, sxh, sxw), inside, 0.0))
                        if GATED:
                            x *= widen(tl.load(g_ptr + at_g + k * sgc, h < H, 0.0))
                        product += x
                is_tap = taps == (i + REACH) * KERNEL + j + REACH
                total += tl.where(is_tap, tl.sum(u * product, 0)[None, :], 0.0)
    at = (tl.program_id(1) * (KERNEL * KERNEL) + taps).to(tl.int64) * C + c
    tl.store(parts_ptr + at, total, (taps < KERNEL * KERNEL) & (c < C))

"""Argument checks of the ops, each called once at an op's public entry point.

TorchScript compiles these functions, hence plain ifs and no generators. Under torch.jit.trace nothing is checked, since
every comparison would be recorded as a constant, with a warning.
"""

import torch
from torch import Tensor

from tinynets._checks import check_floating


def check_window(kernel_size: int) -> None:
    """Raise unless kernel_size is odd and positive."""
    if not isinstance(kernel_size, int):
        raise TypeError(f"kernel_size must be an integer, got {type(kernel_size).__name__}")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd and at least 1, got {kernel_size}: a window needs a center")


def check_eps(eps: float) -> None:
    """Raise unless eps is positive."""
    if not isinstance(eps, (float, int)):
        raise TypeError(f"eps must be a number, got {type(eps).__name__}")
    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps}: a window of zeros would divide by zero")


def check_dilation(dilation: int) -> None:
    """Raise unless dilation is an integer from 1 to 2^20, so that the padding does not overflow."""
    if not isinstance(dilation, int):
        raise TypeError(f"a dilation must be an integer, got {type(dilation).__name__}")
    if dilation < 1 or dilation > 1 << 20:
        raise ValueError(f"a dilation must be from 1 to 2^20 pixels, got {dilation}")


def check_depthwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Raise unless weight is (C, 1, K, K) with K odd, bias is (C,), and both have the type and device of x."""
    check_dtype_and_device(x, weight, "weight")
    channels, size = x.shape[1], weight.shape  # reading a shape is slow, so it is read once
    if len(size) != 4 or size[0] != channels or size[1] != 1:
        raise ValueError(f"weight must be (C, 1, K, K) with the {channels} channels of x, got shape {list(size)}")
    if size[2] != size[3] or size[2] % 2 == 0:
        raise ValueError(f"weight must have a square kernel of odd size, got shape {list(size)}")
    if bias is not None:
        check_bias(x, bias, channels)


def check_bias(x: Tensor, bias: Tensor, channels: int) -> None:
    """Raise unless bias has one element per channel, and the dtype and device of x."""
    check_dtype_and_device(x, bias, "bias")
    size = bias.shape
    if len(size) != 1 or size[0] != channels:
        raise ValueError(f"bias must have shape [{channels}], one element per channel, got {list(size)}")


def check_dtype_and_device(x: Tensor, other: Tensor, name: str) -> None:
    """Raise unless other is a tensor with the device of x, and with its dtype unless autocast converts both."""
    if not isinstance(other, Tensor) or other.dtype != x.dtype or other.layout != torch.strided:
        check_floating(other, name)
        if not autocast(x):
            raise TypeError(f"{name} is {other.dtype}, x is {x.dtype}: convert one of them")
    if other.device != x.device:
        raise ValueError(f"{name} is on {other.device}, x on {x.device}: move both to one device")


def autocast(x: Tensor) -> bool:
    """Whether autocast is enabled for the device of x, so that arguments may have different dtypes."""
    if torch.jit.is_scripting():
        return torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled()
    else:
        device = x.device.type
        known = device in ("cpu", "cuda") or torch.amp.is_autocast_available(device)
        return known and torch.is_autocast_enabled(device)


def check_gate(x: Tensor, gate: Tensor, dilations: list[int]) -> None:
    """Raise unless gate is (N, len(dilations), H, W) for the N, H and W of x, and every dilation is valid."""
    if not isinstance(dilations, (list, tuple)):
        raise TypeError(f"dilations must be a list of integers, got {type(dilations).__name__}")
    if len(dilations) == 0:
        raise ValueError("dilations must contain at least one dilation, got none")
    for dilation in dilations:
        check_dilation(dilation)
    check_floating(gate, "gate")
    maps, size = x.shape, gate.shape
    if len(size) != 4 or size[1] != len(dilations):
        raise ValueError(
            f"gate must be (N, {len(dilations)}, H, W), one channel for each of the dilations {list(dilations)}, "
            f"got shape {list(size)}"
        )
    if size[0] != maps[0] or size[2] != maps[2] or size[3] != maps[3]:
        raise ValueError(f"gate must have the N, H and W of x, which has shape {list(maps)}, got shape {list(size)}")
    if gate.device != x.device:
        raise ValueError(f"gate is on {gate.device}, x on {x.device}: move both to one device")


def check_tau(tau: Tensor) -> None:
    """Raise unless tau is a scalar tensor. Its value is not checked, which would synchronize with a GPU."""
    check_floating(tau, "tau")
    if tau.numel() != 1:
        raise ValueError(f"tau must be a scalar, got shape {list(tau.shape)}")


def check_packed(packed: Tensor, dim: int) -> None:
    """Raise unless packed holds the lower triangle of a dim x dim matrix."""
    if not isinstance(dim, int):
        raise TypeError(f"dim must be an integer, got {type(dim).__name__}")
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")
    check_floating(packed, "packed")
    if packed.numel() != dim * (dim + 1) // 2:
        raise ValueError(
            f"packed must have dim * (dim + 1) / 2 = {dim * (dim + 1) // 2} elements for dim = {dim}, "
            f"got {packed.numel()}"
        )


def check_square(weight: Tensor) -> None:
    """Raise unless weight is a square matrix of a floating-point dtype."""
    check_floating(weight, "weight")
    if weight.dim() != 2 or weight.shape[0] != weight.shape[1]:
        raise ValueError(f"weight must be a square matrix (dim, dim), got shape {list(weight.shape)}")

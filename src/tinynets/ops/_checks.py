"""Argument checks of the ops, each called once at an op's public entry point.

They refuse what torch would broadcast, resize or round without an error, and what the Triton kernels do not check.
TorchScript compiles these functions. Under torch.jit.trace nothing is checked, since every comparison would be recorded
as a constant, with a warning.
"""

from torch import Tensor

from tinynets._checks import check_shape, check_window


def check_maps(x: Tensor, name: str = "x") -> None:
    """Raise unless x is a floating-point (N, C, H, W) tensor."""
    if x.dim() != 4 or not x.is_floating_point():
        raise ValueError(f"{name} must be floating point of shape (N, C, H, W), got {x.dtype} of {list(x.shape)}")


def check_depthwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Raise unless weight is (C, 1, K, K) with K odd, bias is (C,), and both are on the device of x."""
    channels, kernel_size = x.shape[1], weight.shape[-1]
    check_window(kernel_size)
    check_shape(weight, "weight", [channels, 1, kernel_size, kernel_size], x)
    if bias is not None:
        check_shape(bias, "bias", [channels], x)


def check_tau(tau: Tensor) -> None:
    """Raise unless tau is a scalar tensor. Its value is not checked, which would synchronize with a GPU."""
    if tau.numel() != 1:
        raise ValueError(f"tau must be a scalar, got shape {list(tau.shape)}")


def check_packed(packed: Tensor, dim: int) -> None:
    """Raise unless packed holds the lower triangle of a dim x dim matrix."""
    if packed.numel() != dim * (dim + 1) // 2:
        raise ValueError(f"packed must have {dim * (dim + 1) // 2} elements for dim = {dim}, got {packed.numel()}")


def check_square(weight: Tensor) -> None:
    """Raise unless weight is a square floating-point matrix."""
    if weight.dim() != 2 or weight.shape[0] != weight.shape[1] or not weight.is_floating_point():
        raise ValueError(f"weight must be a square floating-point matrix, got {weight.dtype} of {list(weight.shape)}")

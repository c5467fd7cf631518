"""What every op asks of its arguments, checked once, at the entrance, for every form of the op.

TorchScript compiles these functions too: plain ifs, no generators. Under torch.jit.trace nothing is checked: the
comparison would be recorded as a constant, with a warning for each.
"""

from torch import Tensor


def check_maps(x: Tensor, name: str = "x") -> None:
    """Raise unless x is (N, C, H, W) and of a floating-point type."""
    if x.dim() != 4:
        raise ValueError(f"{name} must have 4 dimensions (N, C, H, W), got shape {list(x.shape)}")
    if not x.is_floating_point():
        raise TypeError(f"{name} must be of a floating-point type, got {x.dtype}: convert it with {name}.float()")


def check_window(kernel_size: int) -> None:
    """Raise unless a window of this side has a centre."""
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd and at least 1, got {kernel_size}: a window needs a centre")


def check_eps(eps: float) -> None:
    """Raise unless eps is positive."""
    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps}: a silent window would divide by zero")


def check_dilation(dilation: int) -> None:
    """Raise unless dilation is at least 1."""
    if dilation < 1:
        raise ValueError(f"dilation must be at least 1, got {dilation}")


def check_depthwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Raise unless weight is (C, 1, K, K) with K odd, bias (C,), and both lie where x does."""
    if weight.dim() != 4 or weight.shape[0] != x.shape[1] or weight.shape[1] != 1:
        raise ValueError(
            f"weight must be (C, 1, K, K) with the {x.shape[1]} channels of x, got shape {list(weight.shape)}"
        )
    if weight.shape[2] != weight.shape[3] or weight.shape[2] % 2 == 0:
        raise ValueError(f"weight must have a square kernel of an odd side, got shape {list(weight.shape)}")
    check_beside(x, weight, "weight")
    if bias is not None:
        check_bias(bias, weight.shape[0])
        check_beside(x, bias, "bias")


def check_pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Raise unless weight is (C_out, C, 1, 1), bias (C_out,), and both lie where x does."""
    if weight.dim() != 4 or weight.shape[1] != x.shape[1] or weight.shape[2] != 1 or weight.shape[3] != 1:
        raise ValueError(
            f"weight must be (C_out, C, 1, 1) with the {x.shape[1]} channels of x, got shape {list(weight.shape)}"
        )
    check_beside(x, weight, "weight")
    if bias is not None:
        check_bias(bias, weight.shape[0])
        check_beside(x, bias, "bias")


def check_bias(bias: Tensor, channels: int) -> None:
    """Raise unless bias holds one number a channel."""
    if bias.dim() != 1 or bias.shape[0] != channels:
        raise ValueError(f"bias must have shape [{channels}], one number for each channel, got {list(bias.shape)}")


def check_beside(x: Tensor, other: Tensor, name: str) -> None:
    """Raise unless other is floating-point and on the device of x."""
    if not other.is_floating_point():
        raise TypeError(f"{name} must be of a floating-point type, got {other.dtype}: convert it with {name}.float()")
    if other.device != x.device:
        raise ValueError(f"{name} is on {other.device}, x on {x.device}: move both to one device")


def check_gate(x: Tensor, gate: Tensor, dilations: list[int]) -> None:
    """Raise unless gate is (N, len(dilations), H, W) for the N, H and W of x, and every dilation at least 1."""
    if len(dilations) == 0:
        raise ValueError("dilations must name at least one dilation, got none")
    for dilation in dilations:
        check_dilation(dilation)
    if gate.dim() != 4 or gate.shape[1] != len(dilations):
        raise ValueError(
            f"gate must be (N, {len(dilations)}, H, W), one channel for each of the dilations {list(dilations)}, "
            f"got shape {list(gate.shape)}"
        )
    if gate.shape[0] != x.shape[0] or gate.shape[2] != x.shape[2] or gate.shape[3] != x.shape[3]:
        raise ValueError(
            f"gate must have the N, H and W of x, which has shape {list(x.shape)}, got shape {list(gate.shape)}"
        )
    check_beside(x, gate, "gate")


def check_packed(packed: Tensor, dim: int) -> None:
    """Raise unless packed holds the lower triangle of a dim x dim matrix."""
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")
    if packed.numel() != dim * (dim + 1) // 2:
        raise ValueError(
            f"packed must hold dim * (dim + 1) / 2 = {dim * (dim + 1) // 2} numbers for dim = {dim}, "
            f"got {packed.numel()}"
        )


def check_square(weight: Tensor) -> None:
    """Raise unless weight is a square matrix."""
    if weight.dim() != 2 or weight.shape[0] != weight.shape[1]:
        raise ValueError(f"weight must be a square matrix (dim, dim), got shape {list(weight.shape)}")

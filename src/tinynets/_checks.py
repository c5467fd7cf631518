"""Argument checks."""

import difflib
from collections.abc import Iterable

import torch
from torch import Tensor


def check_positive(**values: int) -> None:
    """Raise ValueError unless every named value is an integer of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")


def check_odd(**values: int) -> None:
    """Raise ValueError unless every named value is an odd positive integer (a window with a center)."""
    check_positive(**values)
    for name, value in values.items():
        if value % 2 == 0:
            raise ValueError(f"{name} must be odd so that the window has a center, got {value}")


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """Return the error for an unknown name; its message suggests the closest known names."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(known)}"
    return ValueError(f"unknown {kind} {name!r}: {hint}")


def check_maps(x: Tensor, name: str = "x", channels: int = 0) -> None:
    """Raise unless x is a dense, non-empty floating-point (N, C, H, W) tensor. TorchScript compiles this function.

    Args:
        x: the feature maps.
        name: name of the argument in error messages.
        channels: required number of channels, 0 for any.
    """
    if not torch.jit.is_scripting():
        usual = type(x) is Tensor and x.dtype is torch.float32 and x.layout is torch.strided and x.dim() == 4
        if usual and x.numel() > 0 and (channels == 0 or channels == x.shape[1]):
            return  # fast path, few calls
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a tensor (N, C, H, W), got {type(x).__name__}")
    if x.dim() != 4:
        raise ValueError(f"{name} must have 4 dimensions (N, C, H, W), got shape {list(x.shape)}")
    check_floating(x, name)
    if channels > 0 and x.shape[1] != channels:
        raise ValueError(f"{name} must have {channels} channels, got shape {list(x.shape)}")
    if x.numel() == 0 and (x.shape[1] == 0 or x.shape[2] == 0 or x.shape[3] == 0):
        raise ValueError(f"{name} must have channels, rows and columns, got shape {list(x.shape)}: only N may be 0")


def check_channels(x: Tensor, channels: int) -> None:
    """`check_maps` for layers; a no-op under torch.jit.trace, which would record the comparisons."""
    if not torch.jit.is_tracing():
        check_maps(x, "x", channels)


def check_matrix(weight: Tensor, side: int) -> None:
    """Raise unless weight is a (side, side) matrix; a no-op under torch.jit.trace."""
    if not torch.jit.is_tracing():
        check_floating(weight, "weight")
        if weight.dim() != 2 or weight.shape[0] != side or weight.shape[1] != side:
            raise ValueError(f"weight must have shape [{side}, {side}], got {list(weight.shape)}")


def check_floating(x: Tensor, name: str) -> None:
    """Raise unless x is dense and half, bfloat16, float or double. TorchScript compiles this function."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(x).__name__}")
    if not x.is_floating_point() or x.element_size() < 2:
        raise TypeError(
            f"{name} must have a floating-point dtype of 16 to 64 bits, got {x.dtype}: convert it with {name}.float()"
        )
    if x.layout != torch.strided:
        raise TypeError(f"{name} must be a dense tensor, got a sparse or packed one: convert it with {name}.to_dense()")


def check_images(x: Tensor, in_chans: int, min_size: int, img_size: tuple[int, int] | None = None) -> None:
    """Raise TypeError or ValueError unless x is a valid floating-point (N, in_chans, H, W) input of the model.

    Args:
        x: the batch.
        in_chans: the model's number of input channels.
        min_size: minimum image size, the model's total stride.
        img_size: the only supported (H, W), None for any.
    """
    if torch.jit.is_tracing():
        return  # comparisons would be recorded as constants
    if not x.is_floating_point():
        raise TypeError(
            f"images must be floating point, got {x.dtype}: scale them (x.float() / 255) and normalize them with "
            "model.pretrained_cfg['mean'] and ['std']"
        )
    if x.ndim != 4:
        hint = "; add the batch dimension with x.unsqueeze(0)" if x.ndim == 3 else ""
        raise ValueError(f"images must have 4 dimensions (N, C, H, W), got shape {tuple(x.shape)}{hint}")
    if x.shape[1] != in_chans:
        raise ValueError(
            f"images have {x.shape[1]} channels, the model expects {in_chans}: "
            f"create it with in_chans={x.shape[1]} or convert the images"
        )
    if torch.compiler.is_exporting():
        return  # a bound on H and W here would become a constraint on the exported program
    if img_size is not None:
        if (x.shape[2], x.shape[3]) != img_size:
            raise ValueError(
                f"images are {x.shape[2]}x{x.shape[3]}, the model expects {img_size[0]}x{img_size[1]}: "
                f"resize them or create the model with img_size=({x.shape[2]}, {x.shape[3]})"
            )
    elif min(x.shape[2], x.shape[3]) < min_size:
        raise ValueError(
            f"images of {x.shape[2]}x{x.shape[3]} are too small for a model with a total stride of {min_size}: "
            f"resize them to at least {min_size}x{min_size}"
        )

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


def check_window(kernel_size: int) -> None:
    """Raise unless kernel_size is odd and positive. TorchScript compiles this function."""
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd and at least 1, got {kernel_size}: a window needs a center")


def check_eps(eps: float) -> None:
    """Raise unless eps is positive. TorchScript compiles this function."""
    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps}: a window of zeros would divide by zero")


def check_shape(other: Tensor, name: str, shape: list[int], x: Tensor) -> None:
    """Raise unless other has this shape and the device of x. TorchScript compiles this function."""
    if list(other.shape) != shape or other.device != x.device:
        raise ValueError(f"{name} must be {shape} on {x.device}, got {list(other.shape)} on {other.device}")


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """Return the error for an unknown name; its message suggests the closest known names."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(known)}"
    return ValueError(f"unknown {kind} {name!r}: {hint}")


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

"""Convert arrays of images of any layout and type to uint8 (N, C, H, W), unless their meaning is ambiguous."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .decode import LEAST_DEEP

_USUAL_CHANNELS = (1, 3)
_AT_A_TIME = 1 << 22  # values
_TOLERANCE = 1e-3  # above 1, of floats that were interpolated


class Plan(NamedTuple):
    """How an array is converted to images."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    channels_axis: int | None

    @property
    def pixels(self) -> int:
        """Bytes of the images."""
        return math.prod(self.shape)

    @property
    def raw_bytes(self) -> int:
        """Memory needed for the array and the conversion, without the images."""
        return self.pixels * self.dtype.itemsize + 4 * 8 * _AT_A_TIME


class Range(NamedTuple):
    """The kind of numbers in an array, the highest one, and the value that stands for white."""

    kind: str
    high: float
    top: int


def plan_pixels(key: str, shape: tuple[int, ...], dtype: np.dtype) -> Plan:
    """Decide how an array of that shape and type is converted to images.

    Raises:
        ValueError: it is not an array of images, or its layout is ambiguous.
    """
    if dtype.kind not in "biuf" or len(shape) not in (3, 4):
        raise ValueError(
            f"{key} must be bools, integers or floats (N, H, W), (N, H, W, C) or (N, C, H, W), got {dtype} {shape}"
        )
    if 0 in shape:
        raise ValueError(f"{key} must not be empty, got {shape}")
    return Plan(key, shape, dtype, _channels_axis(key, shape) if len(shape) == 4 else None)


def pixels_of(plan: Plan, values: np.ndarray) -> tuple[Tensor, Range]:
    """Convert an array to images. Returns them with the range that its values were taken to have.

    Raises:
        ValueError: values are not finite, negative or too high.
    """
    found = _range(plan.key, values)
    if values.ndim == 3:
        values = values[:, None]
    elif plan.channels_axis == 3:
        values = values.transpose(0, 3, 1, 2)
    if values.dtype == np.uint8:
        return torch.from_numpy(np.ascontiguousarray(values)), found
    pixels = np.empty(values.shape, np.uint8)
    step = max(1, _AT_A_TIME // math.prod(values.shape[1:]))
    for start in range(0, len(values), step):
        part = values[start : start + step]
        if found.top != 255 or values.dtype.kind == "f":
            part = np.clip(part.astype(np.float64) * (255 / found.top) + 0.5, 0, 255)
        pixels[start : start + step] = part
    return torch.from_numpy(pixels), found


def check_ranges(ranges: dict[str, Range]) -> None:
    """Refuse arrays with different ranges, and images with only the values 0 and 1.

    Raises:
        ValueError: as said.
    """
    shown = {key: r for key, r in ranges.items() if r.high > 0}
    for kind in sorted({r.kind for r in shown.values()}):
        of_kind = {key: r for key, r in shown.items() if r.kind == kind}
        if len({r.top for r in of_kind.values()}) > 1:
            text = ", ".join(f"{key} to {r.high:g}" for key, r in of_kind.items())
            raise ValueError(f"values must have one range in all arrays, got {text}: scale them to 0..255")
        if kind in "iu" and all(r.high == 1 for r in of_kind.values()):
            raise ValueError(f"{next(iter(of_kind))} holds only 0 and 1: save it as bools, or multiplied by 255")


def _channels_axis(key: str, shape: tuple[int, ...]) -> int:
    """3 or 1: the axis of length 1 or 3, otherwise the shortest one."""
    _, first, middle, last = shape
    usual = [axis for axis in (1, 3) if shape[axis] in _USUAL_CHANNELS]
    smallest = [axis for axis, is_it in ((1, first < min(middle, last)), (3, last < min(first, middle))) if is_it]
    certain = usual if len(usual) == 1 else smallest if not usual else []
    if len(certain) != 1:
        raise ValueError(
            f"{key} {shape} has an ambiguous layout, (N, H, W, C) or (N, C, H, W): save grey images as (N, H, W), "
            "and others with only one of these axes of length 1 or 3"
        )
    return certain[0]


def _range(key: str, values: np.ndarray) -> Range:
    kind = values.dtype.kind
    if kind == "b":
        return Range(kind, 1, 1)
    with np.errstate(all="ignore"):
        low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{key} holds values that are not finite numbers")
    cure = "save pixels in 0..255, or as floats in 0..1" + (" (undo the normalisation)" if kind == "f" else "")
    if low < 0:
        raise ValueError(f"{key} holds {low:g}: {cure}")
    if kind == "f" and high <= 1 + _TOLERANCE:
        return Range(kind, float(high), 1)
    if high <= 255:
        return Range(kind, float(high), 255)
    if kind == "f" or high > 65535:
        raise ValueError(f"{key} holds values up to {high:g}: {cure}")
    if high < LEAST_DEEP:
        raise ValueError(f"{key} holds values up to {high}, neither 8 nor 16 bits: {cure}")
    return Range(kind, float(high), 65535)

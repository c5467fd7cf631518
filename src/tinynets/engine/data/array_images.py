"""Convert arrays of images to uint8 (N, C, H, W)."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .image_data import channels_first

_AT_A_TIME = 1 << 22  # values
_TOLERANCE = 1e-3  # above 1, of floats that were interpolated


class Plan(NamedTuple):
    """How an array is converted to images."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    channels_first: bool

    @property
    def pixels(self) -> int:
        """Bytes of the images."""
        return math.prod(self.shape)

    @property
    def raw_bytes(self) -> int:
        """Memory needed for the array and the conversion, without the images."""
        return self.pixels * self.dtype.itemsize + 4 * 8 * _AT_A_TIME


def plan_pixels(key: str, shape: tuple[int, ...], dtype: np.dtype) -> Plan:
    """Decide how an array of that shape and type is converted to images.

    Raises:
        ValueError: it is not an array of images, or its layout is ambiguous.
    """
    if not (dtype == np.uint8 or dtype.kind == "f") or len(shape) not in (3, 4) or 0 in shape:
        raise ValueError(
            f"{key} must be uint8 or floats in 0..1, (N, H, W), (N, H, W, C) or (N, C, H, W), got {dtype} {shape}"
        )
    axes = [axis for axis in (1, 3) if len(shape) == 4 and shape[axis] in (1, 3)]
    if len(shape) == 4 and len(axes) != 1:
        raise ValueError(
            f"{key} {shape} has an ambiguous layout, (N, H, W, C) or (N, C, H, W) with 1 or 3 channels: save grey "
            "images as (N, H, W), and others with only one of these axes of length 1 or 3"
        )
    return Plan(key, shape, dtype, axes == [1])


def pixels_of(plan: Plan, values: np.ndarray) -> Tensor:
    """Convert an array to images.

    Raises:
        ValueError: values are not finite or not in range.
    """
    low, high = values.min(), values.max()
    if values.dtype == np.uint8:
        if high == 1:
            raise ValueError(f"{plan.key} holds only 0 and 1: multiply it by 255")
        pixels = values
    else:
        if not (low >= 0 and high <= 1 + _TOLERANCE):  # not even NaN is
            raise ValueError(f"{plan.key} holds {low:g} to {high:g}, floats must be in 0..1: undo the normalisation")
        pixels = np.empty(values.shape, np.uint8)
        step = max(1, _AT_A_TIME // math.prod(values.shape[1:]))
        for start in range(0, len(values), step):
            part = values[start : start + step].astype(np.float64)
            pixels[start : start + step] = np.clip(part * 255 + 0.5, 0, 255)
    images = torch.from_numpy(np.ascontiguousarray(pixels))
    return images if plan.channels_first else channels_first(images)

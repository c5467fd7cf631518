"""Photometric augmentation of floating-point images in 0..1, (N, C, H, W)."""

import torch
from torch import Tensor

from .batch_rng import BatchRNG


def random_light(x: Tensor, contrast: float, brightness: float, rng: BatchRNG, probability: float = 1.0) -> Tensor:
    """Jitter contrast and brightness: x (1 + c) + b clipped to 0..1, with c and b uniform within their bounds."""
    draw = rng.signed(2) * rng.chosen(probability)
    c, b = (bound * number.view(-1, 1, 1, 1) for bound, number in zip((contrast, brightness), draw, strict=True))
    return (x * (1 + c) + b).clamp(0, 1)


def random_hsv(
    x: Tensor, hue: float, saturation: float, value: float, rng: BatchRNG, probability: float = 1.0
) -> Tensor:
    """Jitter hue (degrees, cyclic), saturation and value (clipped to 0..1), uniform within the bounds.

    For gray images only the value changes.
    """
    draw = rng.signed(3)
    chosen = rng.chosen(probability)
    if x.shape[1] != 3:
        shifted = (x + value * draw[2].view(-1, 1, 1, 1)).clamp(0, 1)
    else:
        h, s, v = rgb_to_hsv(x)
        h = h + hue * draw[0].view(-1, 1, 1)
        s = (s + saturation * draw[1].view(-1, 1, 1)).clamp(0, 1)
        v = (v + value * draw[2].view(-1, 1, 1)).clamp(0, 1)
        shifted = hsv_to_rgb(h, s, v)
    return torch.where(chosen.view(-1, 1, 1, 1), shifted, x)


def rgb_to_hsv(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Convert (N, 3, H, W) in 0..1 to hue in degrees, saturation and value in 0..1, each (N, H, W)."""
    red, green, blue = x.unbind(1)
    high, low = x.amax(1), x.amin(1)
    span = high - low
    safe = span.clamp_min(1e-12)
    sextant = torch.where(
        high == red,
        (green - blue) / safe,
        torch.where(high == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    return (60 * sextant).remainder(360), span / high.clamp_min(1e-12), high


def hsv_to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """The inverse of `rgb_to_hsv`; hue may be any number of degrees."""
    channels = []
    for offset in (5, 3, 1):
        k = (offset + hue / 60).remainder(6)
        channels.append(value - value * saturation * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, 1)

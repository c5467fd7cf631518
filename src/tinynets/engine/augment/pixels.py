"""torchvision's operations on uint8 batches (N, C, H, W), with a strength (N, 1, 1, 1) for every image."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .geometry import resample


def shear_x(images: Tensor, slope: Tensor) -> Tensor:
    """Rows move in proportion to their distance from the top."""
    return _warp(images, b=slope, right=-slope * images.shape[2] / 2)


def shear_y(images: Tensor, slope: Tensor) -> Tensor:
    """Columns move in proportion to their distance from the left."""
    return _warp(images, c=slope, down=-slope * images.shape[3] / 2)


def translate_x(images: Tensor, shift: Tensor) -> Tensor:
    """To the right by so many pixels."""
    return _warp(images, right=shift)


def translate_y(images: Tensor, shift: Tensor) -> Tensor:
    """Down by so many pixels."""
    return _warp(images, down=shift)


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Counter-clockwise about the center."""
    angle = degrees * (math.pi / 180)
    return _warp(images, a=angle.cos(), b=-angle.sin(), c=angle.sin(), d=angle.cos())


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with black; 1 changes nothing, here and in the three that follow."""
    return _blend(images, torch.zeros_like(images), factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the gray image."""
    return images if images.shape[1] != 3 else _blend(images, _gray(images), factor)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the mean of the gray image."""
    return _blend(images, _gray(images).float().mean((1, 2, 3), keepdim=True), factor)


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the smoothed image; the border stays as it is."""
    if min(images.shape[2:]) <= 2:
        return images
    kernel = torch.ones(3, 3, device=images.device)
    kernel[1, 1] = 5
    channels = images.shape[1]
    inside = F.conv2d(images.float(), (kernel / 13).expand(channels, 1, 3, 3), groups=channels)
    smooth = images.float()
    smooth[:, :, 1:-1, 1:-1] = inside.round()
    return _blend(images, smooth, factor)


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest bits."""
    return images & (256 - 2 ** (8 - bits)).to(torch.uint8)


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Invert what is at or above the threshold."""
    return torch.where(images >= threshold, 255 - images, images)


def autocontrast(images: Tensor) -> Tensor:
    """Stretch every channel to 0..255."""
    x = images.float()
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    flat = low == high
    stretched = (x - low) * (255 / torch.where(flat, 1, high - low))
    return torch.where(flat, x, stretched.clamp(0, 255)).to(torch.uint8)


def equalize(images: Tensor) -> Tensor:
    """Flatten the histogram of every channel."""
    n, c, height, width = images.shape
    flat = images.reshape(n * c, height * width).long()
    counts = torch.zeros(n * c, 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat))
    last = counts.gather(1, flat.amax(1, keepdim=True))
    step = (height * width - last) // 255
    table = (counts.cumsum(1) + step // 2) // step.clamp_min(1)
    table = F.pad(table, (1, 0))[:, :-1].clamp(0, 255)
    return torch.where(step > 0, table.gather(1, flat), flat).to(torch.uint8).view_as(images)


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return (factor * images + (1 - factor) * other).clamp(0, 255).to(torch.uint8)


def _gray(images: Tensor) -> Tensor:
    if images.shape[1] != 3:
        return images
    weight = torch.tensor([0.2989, 0.587, 0.114], device=images.device).view(3, 1, 1)
    return (images * weight).sum(1, keepdim=True).to(torch.uint8)


def _warp(
    images: Tensor,
    a: Tensor | float = 1.0,
    b: Tensor | float = 0.0,
    c: Tensor | float = 0.0,
    d: Tensor | float = 1.0,
    right: Tensor | float = 0.0,
    down: Tensor | float = 0.0,
) -> Tensor:
    """Output pixel p from [[a, b], [c, d]] p - (right, down), measured from the center; black from outside."""
    one = torch.ones(len(images), device=images.device)
    rows = [one * (v.flatten() if isinstance(v, Tensor) else v) for v in (a, b, -right, c, d, -down)]
    x = resample(images.float(), torch.stack(rows, 1).view(-1, 2, 3), mode="nearest")
    return x.to(torch.uint8)

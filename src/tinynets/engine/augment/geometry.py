import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .batch_rng import BatchRNG


def random_crop(images: Tensor, pad: int, rng: BatchRNG, mode: str = "constant") -> Tensor:
    """Pad all sides by pad pixels, then crop each image to its original size at a random position.

    mode: "constant" for zero padding or "reflect" for reflection padding, which requires pad below the image size.
    """
    n, _, height, width = images.shape
    top, left = rng.integers(2 * pad + 1, 2)
    if mode == "reflect" and pad >= min(height, width):
        raise ValueError(
            f"augment.pad ({pad}) must be below the images' side ({min(height, width)}) for reflection padding: "
            "lower it or set augment.pad_mode=constant"
        )
    border = (pad, pad, pad, pad)
    # on CUDA, reflection padding does not support integers
    padded = F.pad(images, border) if mode == "constant" else F.pad(images.float(), border, mode).to(images.dtype)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(n, device=images.device), :, top, left]


def random_flip(images: Tensor, rng: BatchRNG) -> Tensor:
    """Flip each image horizontally with probability 1/2."""
    return torch.where(rng.chosen(0.5).view(-1, 1, 1, 1), images.flip(3), images)


def random_affine(
    x: Tensor, rotate: float, scale: float, shear: float, shift: float, rng: BatchRNG, probability: float = 1.0
) -> Tensor:
    """Shear along x, scale and rotate about the center, then shift, with bilinear interpolation and zero fill.

    Rotation and shear (degrees), the relative change of scale, and the shift (fraction of the image size) are uniform
    from -value to +value. Each image is transformed with the given probability. x is floating point.
    """
    _, _, height, width = x.shape
    draw = rng.signed(5).to(x) * rng.chosen(probability)
    return affine(
        x,
        angle=draw[0] * math.radians(rotate),
        factor=1 + draw[1] * scale,
        shear_x=torch.tan(draw[2] * math.radians(shear)),
        right=draw[3] * shift * width,
        down=draw[4] * shift * height,
    )


def affine(x: Tensor, angle: Tensor, factor: Tensor, shear_x: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Shear along x by shear_x, scale by factor, rotate by angle (radians, clockwise) about the center, then shift.

    x is (N, C, H, W) floating point, all others are (N,), shifts in pixels. Pixels from outside are 0. Equivalent to
    torchvision.transforms.v2.functional.affine.
    """
    height, width = x.shape[2:]
    # source position of an output pixel, relative to the center: the inverse of scale, shear, rotation, shift
    a = (angle.cos() - angle.sin() * shear_x) / factor
    b = (angle.cos() * shear_x + angle.sin()) / factor
    c, d = -angle.sin() / factor, angle.cos() / factor
    from_x, from_y = -(a * right + b * down), -(c * right + d * down)
    # affine_grid's unit is half the image side
    theta = torch.stack([a, b * height / width, from_x * 2 / width, c * width / height, d, from_y * 2 / height], dim=1)
    grid = F.affine_grid(theta.view(-1, 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="zeros", align_corners=False)


def random_cutout(x: Tensor, size: int, rng: BatchRNG, probability: float = 1.0) -> Tensor:
    """Set a square of the given size to 0, centered anywhere in the image and clipped at the border.

    Source: DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017.
    """
    height, width = x.shape[2:]
    chosen = rng.chosen(probability).view(-1, 1, 1)
    top = rng.integers(height).unsqueeze(1) - size // 2
    left = rng.integers(width).unsqueeze(1) - size // 2
    inside = rectangles(height, width, top, left, top + size, left + size) & chosen
    return x.masked_fill(inside.unsqueeze(1), 0)


def rectangles(height: int, width: int, top: Tensor, left: Tensor, bottom: Tensor, right: Tensor) -> Tensor:
    """Return masks (N, height, width), true inside each image's rectangle; edges (N, 1), bottom and right exclusive."""
    rows = torch.arange(height, device=top.device)
    columns = torch.arange(width, device=top.device)
    return ((rows >= top) & (rows < bottom)).unsqueeze(2) & ((columns >= left) & (columns < right)).unsqueeze(1)

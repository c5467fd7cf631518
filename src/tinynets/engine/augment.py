import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .recipe import Augment


class Augmenter:
    """uint8 images -> normalised floating-point images, a whole batch at a time on the images' device.

    Every image has its own parameters, drawn from one generator. The order is: crop, flip, affine map (rotation,
    scale, shear, shift), normalisation, cutout.

    Args:
        augment: what to do; `Augment()` only normalises.
        mean, std: per channel, of pixels scaled to 0..1.
    """

    def __init__(self, augment: Augment, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        self.augment = augment
        self.mean = torch.tensor(mean).view(-1, 1, 1)
        self.std = torch.tensor(std).view(-1, 1, 1)

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(N, C, H, W) uint8 -> (N, C, H, W) fp32, channels_last."""
        a = self.augment
        if a.pad:
            images = random_crop(images, a.pad, generator)
        if a.flip:
            images = random_flip(images, generator)
        x = images.float() / 255
        if a.rotate or a.scale or a.shear or a.shift:
            x = random_affine(x, a.rotate, a.scale, a.shear, a.shift, generator)
        x = (x - self.mean.to(x.device)) / self.std.to(x.device)
        if a.cutout:
            x = random_cutout(x, a.cutout, generator)
        return x.contiguous(memory_format=torch.channels_last)


def random_crop(images: Tensor, pad: int, generator: torch.Generator | None = None) -> Tensor:
    """Add pad black pixels on every side, then cut each image back to its size at a place of its own."""
    n, _, height, width = images.shape
    padded = F.pad(images, (pad, pad, pad, pad))
    top, left = torch.randint(0, 2 * pad + 1, (2, n, 1), generator=generator).to(images.device)
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    sample = torch.arange(n, device=images.device).view(n, 1, 1)
    return padded.permute(0, 2, 3, 1)[sample, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)


def random_flip(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Mirror each image left to right with probability 1/2."""
    chosen = torch.rand(len(images), 1, 1, 1, generator=generator).to(images.device) < 0.5
    return torch.where(chosen, images.flip(3), images)


def random_affine(
    x: Tensor, rotate: float, scale: float, shear: float, shift: float, generator: torch.Generator | None = None
) -> Tensor:
    """Shear along x, scale and rotate about the centre, then shift; black outside, bilinear interpolation.

    Degrees of rotation and shear, the change of scale and the shift as a fraction of the side are drawn uniformly
    from -value to +value; the map is that of torchvision.transforms.v2.functional.affine. x is floating point.
    """
    n, _, height, width = x.shape
    draw = (torch.rand(5, n, generator=generator) * 2 - 1).to(x)
    angle = draw[0] * math.radians(rotate)
    factor = 1 + draw[1] * scale
    slant = torch.tan(draw[2] * math.radians(shear))
    right, down = draw[3] * shift * width, draw[4] * shift * height
    # where an output pixel comes from, in pixels from the centre: the inverse of scale, shear, rotation, shift
    a = (angle.cos() - angle.sin() * slant) / factor
    b = (angle.cos() * slant + angle.sin()) / factor
    c, d = -angle.sin() / factor, angle.cos() / factor
    from_x, from_y = -(a * right + b * down), -(c * right + d * down)
    # affine_grid counts in half sides
    theta = torch.stack([a, b * height / width, from_x * 2 / width, c * width / height, d, from_y * 2 / height], dim=1)
    grid = F.affine_grid(theta.view(n, 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def random_cutout(x: Tensor, size: int, generator: torch.Generator | None = None) -> Tensor:
    """Set a square of the given side to 0, its centre anywhere in the image, clipped at the border.

    Source: DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017.
    """
    n, _, height, width = x.shape
    row = torch.randint(0, height, (n, 1), generator=generator).to(x.device) - size // 2
    column = torch.randint(0, width, (n, 1), generator=generator).to(x.device) - size // 2
    down = torch.arange(height, device=x.device) - row
    across = torch.arange(width, device=x.device) - column
    inside = ((down >= 0) & (down < size)).unsqueeze(2) & ((across >= 0) & (across < size)).unsqueeze(1)
    return x.masked_fill(inside.unsqueeze(1), 0)

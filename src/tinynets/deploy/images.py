import torch
from torch import Tensor
from torch.nn import functional as F

from tinynets._context import plain_defaults


def calibration_images(images: Tensor, count: int = 256) -> Tensor:
    """Sample calibration images from training images with a fixed seed, as for shipped files and `tinynets export`."""
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count]]


@plain_defaults()
def synthetic_images(count: int, size: tuple[int, int, int]) -> Tensor:
    """Generate deterministic synthetic images, uint8 (count, C, H, W): smooth noise of varied scale and contrast."""
    channels, height, width = size
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(count, channels, height, width)
    for cells in (1, 2, 4, 8, 16):
        noise = torch.randn(count, channels, cells, cells, generator=generator)
        images += F.interpolate(noise, (height, width), mode="bilinear", align_corners=False)
    contrast = torch.rand(count, 1, 1, 1, generator=generator) * 60
    return (128 + contrast * images).clamp(0, 255).to(torch.uint8)

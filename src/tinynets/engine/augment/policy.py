"""torchvision's AutoAugment, applied per image."""

import torch
from torch import Tensor
from torchvision.transforms import AutoAugment, AutoAugmentPolicy

from tinynets._context import preserve_rng_state

from .batch_rng import BatchRNG

_CIFAR10 = AutoAugment(AutoAugmentPolicy.CIFAR10)


def apply_autoaugment(images: Tensor, rng: BatchRNG) -> Tensor:
    """Apply the CIFAR-10 policy to each image.

    torch's global generator, which torchvision draws from, is seeded separately for every image.

    images: uint8 (N, C, H, W) on any device.
    """
    seeds = rng.on_cpu().integers(1 << 62).tolist()
    with preserve_rng_state(torch.device("cpu")):
        changed = []
        for image, seed in zip(images, seeds, strict=True):
            torch.default_generator.manual_seed(seed)
            changed.append(_CIFAR10(image))
    return torch.stack(changed)

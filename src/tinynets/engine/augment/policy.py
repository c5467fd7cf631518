"""torchvision's augmentation policies, image by image."""

import torch
from torch import Tensor
from torchvision.transforms import AutoAugment, AutoAugmentPolicy, TrivialAugmentWide

from tinynets._context import preserve_rng_state

from .batch_rng import BatchRNG

POLICIES = {
    "autoaugment": AutoAugment(AutoAugmentPolicy.CIFAR10),
    "trivialaugment": TrivialAugmentWide(),
}


def apply_policy(images: Tensor, name: str, rng: BatchRNG) -> Tensor:
    """Change each image by one of `POLICIES`.

    Every image gets a seed of its own for torch's generator, which torchvision draws from.

    images: uint8 (N, C, H, W) on any device.
    """
    seeds = rng.on_cpu().integers(1 << 62).tolist()
    with preserve_rng_state(torch.device("cpu")):
        changed = []
        for image, seed in zip(images, seeds, strict=True):
            torch.default_generator.manual_seed(seed)
            changed.append(POLICIES[name](image))
    return torch.stack(changed)

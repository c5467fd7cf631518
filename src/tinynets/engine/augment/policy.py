"""AutoAugment's CIFAR-10 policy and TrivialAugment (wide), a batch at a time.

Sources: Cubuk et al., AutoAugment, 2018; Mueller and Hutter, TrivialAugment, 2021. Operations and magnitudes are those
of torchvision.transforms, nearest-neighbor interpolation included.
"""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torchvision.transforms import AutoAugment, AutoAugmentPolicy

from . import pixels
from .batch_rng import BatchRNG


def auto_augment(images: Tensor, rng: BatchRNG) -> Tensor:
    """Apply one of the 25 sub-policies to each image. Each of its two operations has its own probability."""
    operations, probabilities, magnitudes, signed = _cifar10_tables(images.shape[3])
    rng = rng.on_cpu()
    which = rng.integers(len(operations))
    happens, sign = rng.uniform(2), rng.uniform(2)
    for turn in range(2):
        operation = operations[which, turn].where(happens[turn] < probabilities[which, turn], -1)
        flips = signed[which, turn] & (sign[turn] < 0.5)
        images = _apply(images, operation, magnitudes[which, turn] * torch.where(flips, -1, 1))
    return images


def trivial_augment(images: Tensor, rng: BatchRNG) -> Tensor:
    """Apply one operation to each image, at one of 31 strengths. One image in fourteen stays unchanged."""
    rng = rng.on_cpu()
    which = rng.integers(len(_TRIVIAL) + 1)
    strength = rng.integers(31) / 30
    sign = rng.uniform()
    operation = torch.full_like(which, -1)
    magnitude = torch.zeros(len(which))
    for index, (name, scale) in enumerate(_TRIVIAL.items()):
        rows = which == index
        operation[rows] = _NAMES.index(name)
        magnitude[rows] = scale(strength[rows])
        if name in _SIGNED:
            magnitude[rows & (sign < 0.5)] *= -1
    return _apply(images, operation, magnitude)


def _apply(images: Tensor, operation: Tensor, magnitude: Tensor) -> Tensor:
    """Apply to each image its own operation, -1 for none. Both tensors are on the CPU, so no GPU is waited for."""
    images = images.clone()
    for index, name in enumerate(_NAMES):
        rows = (operation == index).nonzero().flatten()
        if len(rows):
            there = rows.to(images.device)
            strength = magnitude[rows].to(images.device).view(-1, 1, 1, 1)
            images[there] = _OPERATIONS[name](images[there], strength)
    return images


_OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ShearX": pixels.shear_x,
    "ShearY": pixels.shear_y,
    "TranslateX": pixels.translate_x,
    "TranslateY": pixels.translate_y,
    "Rotate": pixels.rotate,
    "Brightness": lambda images, m: pixels.brightness(images, 1 + m),
    "Color": lambda images, m: pixels.saturation(images, 1 + m),
    "Contrast": lambda images, m: pixels.contrast(images, 1 + m),
    "Sharpness": lambda images, m: pixels.sharpness(images, 1 + m),
    "Posterize": pixels.posterize,
    "Solarize": pixels.solarize,
    "AutoContrast": lambda images, m: pixels.autocontrast(images),
    "Equalize": lambda images, m: pixels.equalize(images),
    "Invert": lambda images, m: 255 - images,
}
_NAMES = list(_OPERATIONS)
_SIGNED = _NAMES[:9]

_TRIVIAL: dict[str, Callable[[Tensor], Tensor]] = {
    "ShearX": lambda s: 0.99 * s,
    "ShearY": lambda s: 0.99 * s,
    "TranslateX": lambda s: (32 * s).trunc(),
    "TranslateY": lambda s: (32 * s).trunc(),
    "Rotate": lambda s: 135 * s,
    "Brightness": lambda s: 0.99 * s,
    "Color": lambda s: 0.99 * s,
    "Contrast": lambda s: 0.99 * s,
    "Sharpness": lambda s: 0.99 * s,
    "Posterize": lambda s: 8 - (6 * s).round(),
    "Solarize": lambda s: 255 * (1 - s),
    "AutoContrast": torch.zeros_like,
    "Equalize": torch.zeros_like,
}


@cache
def _cifar10_tables(side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(25, 2) each: operation, probability, magnitude at images of that side, whether its sign is drawn."""
    largest = {"ShearX": 0.3, "ShearY": 0.3, "Rotate": 30.0} | dict.fromkeys(_SIGNED[5:], 0.9)
    rows = []
    for policy in AutoAugment(AutoAugmentPolicy.CIFAR10).policies:
        for name, probability, level in policy:
            step = (level or 0) / 9
            if name.startswith("Translate"):
                magnitude = math.trunc(150 / 331 * side * step)
            elif name == "Posterize":
                magnitude = 8 - round(4 * step)
            elif name == "Solarize":
                magnitude = 255 * (1 - step)
            else:
                magnitude = largest.get(name, 0.0) * step
            rows.append((_NAMES.index(name), probability, magnitude, name in _SIGNED))
    operations, probabilities, magnitudes, signed = (
        torch.tensor(column).view(-1, 2) for column in zip(*rows, strict=True)
    )
    return operations, probabilities, magnitudes.float(), signed

"""Light on dark or dark on light: whether images have the background that a model was trained on."""

from collections.abc import Sequence

import torch
from torch import Tensor


def wrong_polarity(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Which images have a light border where a model's data had a dark background, or the reverse. Bool (N,).

    The data's background is dark if mean - std < 0 in every channel (as of MNIST, where most pixels are black), light
    if mean + std > 1, and neither for photos: then no image is wrong.

    Args:
        images: uint8 (N, C, H, W).
        mean, std: of the data the model was trained on, per channel, of pixels in 0..1.
    """
    dark = all(m - s < 0 for m, s in zip(mean, std, strict=True))
    light = all(m + s > 1 for m, s in zip(mean, std, strict=True))
    if dark == light:
        return torch.zeros(len(images), dtype=torch.bool, device=images.device)
    sides = images[:, :, 0], images[:, :, -1], images[..., 0], images[..., -1]
    border = torch.cat([side.flatten(1) for side in sides], 1).float().mean(1) / 255
    return border > 0.5 if dark else border < 0.5

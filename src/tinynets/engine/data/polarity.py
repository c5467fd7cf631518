"""Detection of images whose polarity (light on dark or dark on light) differs from a model's training data."""

from collections.abc import Sequence

import torch
from torch import Tensor


def wrong_polarity(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Find images with a light border for a model trained on a dark background, or vice versa.

    A model's background is dark if mean - std < 0 in every channel (as in MNIST, where most pixels are black), and
    light if mean + std > 1. For photos neither holds, and no image is flagged.

    Args:
        images: uint8 (N, C, H, W).
        mean: mean per channel of the model's training data, for pixels in 0..1.
        std: standard deviation per channel of the model's training data, for pixels in 0..1.

    Returns:
        Bool (N,).

    Examples:
        >>> import torch
        >>> from tinynets.engine.data import wrong_polarity
        >>> images = torch.stack([torch.zeros(1, 28, 28), torch.full((1, 28, 28), 255)]).to(torch.uint8)
        >>> wrong_polarity(images, mean=(0.13,), std=(0.31,))
        tensor([False,  True])
    """
    dark = all(m - s < 0 for m, s in zip(mean, std, strict=True))
    light = all(m + s > 1 for m, s in zip(mean, std, strict=True))
    if dark == light:
        return torch.zeros(len(images), dtype=torch.bool, device=images.device)
    sides = images[:, :, 0], images[:, :, -1], images[..., 0], images[..., -1]
    border = torch.cat([side.flatten(1) for side in sides], 1).float().mean(1) / 255
    return border > 0.5 if dark else border < 0.5

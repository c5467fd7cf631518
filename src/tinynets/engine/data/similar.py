"""Near-duplicate detection, for bursts and re-saved photos across splits."""

import torch
from torch import Tensor
from torch.nn import functional as F

_BITS = 3  # maximum number of differing bits of 64
_LEVELS = 15.0  # maximum RMS difference of two thumbnails, of 255
_AT_A_TIME = 1 << 23  # comparisons per batch


def near_duplicates(images: Tensor, others: Tensor) -> Tensor:
    """Find, for every image, the first of the others that it is a near duplicate of.

    Near duplicates have almost equal 9x8 grayscale thumbnails and almost equal difference hashes: 64 bits, the signs of
    the differences between horizontal neighbors in the thumbnail.

    Args:
        images: uint8 (N, C, H, W).
        others: uint8 (M, C, H, W).

    Returns:
        Int64 (N,): an index into others, -1 for images without a near duplicate.

    Source: Krawetz, Kind of Like That, 2013.
    """
    other_thumbnails = _thumbnails(others)
    other_bits, other_pixels = _hashes(other_thumbnails).T.contiguous(), other_thumbnails.flatten(1).T.contiguous()
    found = [torch.zeros(0, dtype=torch.int64)]
    for thumbnails in _thumbnails(images).split(max(1, _AT_A_TIME // max(1, len(other_thumbnails)))):
        pixels = thumbnails.flatten(1)
        distance = pixels.square().sum(1, keepdim=True) + other_pixels.square().sum(0) - 2 * pixels @ other_pixels
        agree = _hashes(thumbnails) @ other_bits >= 64 - 2 * _BITS  # each differing bit subtracts 2
        near = agree & (distance <= pixels.shape[1] * _LEVELS**2)
        found.append(torch.where(near.any(1), near.int().argmax(1), -1) if near.shape[1] else near.sum(1) - 1)
    return torch.cat(found)


def _thumbnails(images: Tensor) -> Tensor:
    """(N, 8, 9), gray in 0..255."""
    return torch.cat([F.adaptive_avg_pool2d(part.float().mean(1), (8, 9)) for part in images.split(1000)])


def _hashes(thumbnails: Tensor) -> Tensor:
    """(N, 64) of -1 and 1."""
    return (thumbnails[:, :, 1:] > thumbnails[:, :, :-1]).flatten(1).float() * 2 - 1

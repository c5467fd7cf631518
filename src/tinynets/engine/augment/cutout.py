import torch
from torch import Tensor

from .batch_rng import BatchRNG


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

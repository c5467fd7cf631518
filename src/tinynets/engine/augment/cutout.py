import torch
from torch import Tensor

from .draws import Draws


def random_cutout(x: Tensor, size: int, draws: Draws, probability: float = 1.0) -> Tensor:
    """Set a square of the given side to 0. Its centre lies anywhere in the image, and it is clipped at the border.

    Source: DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017.
    """
    height, width = x.shape[2:]
    chosen = draws.chosen(probability).view(-1, 1, 1)
    top = draws.integers(height).unsqueeze(1) - size // 2
    left = draws.integers(width).unsqueeze(1) - size // 2
    inside = rectangles(height, width, top, left, top + size, left + size) & chosen
    return x.masked_fill(inside.unsqueeze(1), 0)


def rectangles(height: int, width: int, top: Tensor, left: Tensor, bottom: Tensor, right: Tensor) -> Tensor:
    """(N, height, width) bool, true inside each image's rectangle; the edges are (N, 1), bottom and right excluded."""
    rows = torch.arange(height, device=top.device)
    columns = torch.arange(width, device=top.device)
    return ((rows >= top) & (rows < bottom)).unsqueeze(2) & ((columns >= left) & (columns < right)).unsqueeze(1)

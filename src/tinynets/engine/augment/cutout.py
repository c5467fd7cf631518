import torch
from torch import Tensor

from .draws import Draws


def random_cutout(x: Tensor, size: int, draws: Draws, holes: int = 1, probability: float = 1.0) -> Tensor:
    """Set squares of the given side to 0. Their centres lie anywhere in the image, and they are clipped at the border.

    Source: DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017. With several
    holes it is coarse dropout.
    """
    height, width = x.shape[2:]
    chosen = draws.chosen(probability).view(-1, 1, 1)
    for _ in range(holes):
        top = draws.integers(height).unsqueeze(1) - size // 2
        left = draws.integers(width).unsqueeze(1) - size // 2
        inside = rectangles(height, width, top, left, top + size, left + size) & chosen
        x = x.masked_fill(inside.unsqueeze(1), 0)
    return x


def rectangles(height: int, width: int, top: Tensor, left: Tensor, bottom: Tensor, right: Tensor) -> Tensor:
    """(N, height, width) bool, true inside each image's rectangle; the edges are (N, 1), bottom and right excluded."""
    rows = torch.arange(height, device=top.device)
    columns = torch.arange(width, device=top.device)
    return ((rows >= top) & (rows < bottom)).unsqueeze(2) & ((columns >= left) & (columns < right)).unsqueeze(1)

import torch
from torch import Tensor


def symmetric_weight(packed: Tensor, dim: int) -> Tensor:
    """W = L + L^T, where L is the lower triangle (diagonal included) that packed holds row by row.

    Args:
        packed: dim * (dim + 1) / 2 numbers in any shape.
        dim: side of the matrix.

    Returns:
        (dim, dim), exactly symmetric; its diagonal is twice the packed one.
    """
    rows, columns = torch.tril_indices(dim, dim, device=packed.device).unbind(0)
    lower = torch.zeros(dim, dim, dtype=packed.dtype, device=packed.device)
    lower = lower.index_put([rows, columns], packed.flatten())
    return lower + lower.t()


def pack_symmetric(weight: Tensor) -> Tensor:
    """The packed lower triangle, shape (1, dim * (dim + 1) / 2), of which `symmetric_weight` makes weight again.

    Args:
        weight: (dim, dim), symmetric; only its lower triangle is read.
    """
    rows, columns = torch.tril_indices(weight.shape[0], weight.shape[0], device=weight.device).unbind(0)
    scale = torch.where(rows == columns, 0.5, 1.0).to(weight.dtype)
    return (weight[rows, columns] * scale).unsqueeze(0)

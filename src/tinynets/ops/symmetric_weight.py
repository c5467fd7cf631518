import torch
from torch import Tensor

from ._checks import check_packed, check_square


def symmetric_weight(packed: Tensor, dim: int) -> Tensor:
    """W = L + L^T, where L is the lower triangle, diagonal included, that packed holds row by row.

    Args:
        packed: dim * (dim + 1) / 2 numbers in any shape.
        dim: side of the matrix.

    Returns:
        (dim, dim), exactly symmetric. Its diagonal is twice the packed one.

    Raises:
        ValueError: packed has another number of elements.

    Example:
        >>> symmetric_weight(torch.tensor([1.0, 2.0, 3.0]), 2)
        tensor([[2., 2.],
                [2., 6.]])
    """
    if not torch.jit.is_tracing():
        check_packed(packed, dim)
    rows, columns = torch.tril_indices(dim, dim, device=packed.device).unbind(0)
    lower = torch.zeros(dim, dim, dtype=packed.dtype, device=packed.device)
    lower = lower.index_put([rows, columns], packed.flatten())
    return lower + lower.t()


def pack_symmetric(weight: Tensor) -> Tensor:
    """The packed lower triangle of which `symmetric_weight` makes weight again.

    Args:
        weight: (dim, dim), symmetric. Only its lower triangle is read.

    Returns:
        (1, dim * (dim + 1) / 2).

    Raises:
        ValueError: weight is no square matrix.

    Example:
        >>> pack_symmetric(torch.tensor([[2.0, 2.0], [2.0, 6.0]]))
        tensor([[1., 2., 3.]])
    """
    if not torch.jit.is_tracing():
        check_square(weight)
    rows, columns = torch.tril_indices(weight.shape[0], weight.shape[0], device=weight.device).unbind(0)
    scale = torch.where(rows == columns, 0.5, 1.0).to(weight.dtype)
    return (weight[rows, columns] * scale).unsqueeze(0)

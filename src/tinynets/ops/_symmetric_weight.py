from functools import lru_cache

import torch
from torch import Tensor

from ._checks import check_packed, check_square
from ._dispatch import in_chunks


def symmetric_weight(packed: Tensor, dim: int) -> Tensor:
    """Build a symmetric matrix from a packed lower triangle: W = L + L^T.

    L includes the diagonal and is packed in row-major order. The diagonal of W is twice that of L.

    Args:
        packed: dim * (dim + 1) / 2 elements in any shape.
        dim: matrix size.

    Returns:
        (dim, dim), exactly symmetric.

    Raises:
        ValueError: packed has another number of elements.

    Examples:
        >>> import torch
        >>> from tinynets.ops import symmetric_weight
        >>> symmetric_weight(torch.tensor([1.0, 2.0, 3.0]), 2)
        tensor([[2., 2.],
                [2., 6.]])
    """
    if not torch.jit.is_tracing():
        check_packed(packed, dim)
    if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
        if in_chunks(packed):
            index, factor = _packed_index(dim, packed.dtype)
            return packed.flatten().index_select(0, index).view(dim, dim) * factor
    rows, columns = torch.tril_indices(dim, dim, device=packed.device).unbind(0)
    lower = torch.zeros(dim, dim, dtype=packed.dtype, device=packed.device)
    lower = lower.index_put([rows, columns], packed.flatten())
    return lower + lower.t()


@lru_cache
def _packed_index(dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the index in the packed triangle and the factor (2 on the diagonal) of every element of W, row-major.

    On the CPU the gather and its gradient take a third of the time of the scatter.
    """
    with torch.inference_mode(False):
        side = torch.arange(dim, dtype=torch.int32, device="cpu")
        low, high = torch.minimum(side, side.unsqueeze(1)), torch.maximum(side, side.unsqueeze(1))
        return (high * (high + 1) // 2 + low).flatten(), 1 + torch.eye(dim, dtype=dtype, device="cpu")


def pack_symmetric(weight: Tensor) -> Tensor:
    """Pack a symmetric matrix; the inverse of `symmetric_weight`.

    Args:
        weight: (dim, dim), symmetric. Only its lower triangle is read.

    Returns:
        (1, dim * (dim + 1) / 2).

    Raises:
        ValueError: weight is not a square floating-point matrix.

    Examples:
        >>> import torch
        >>> from tinynets.ops import pack_symmetric
        >>> pack_symmetric(torch.tensor([[2.0, 2.0], [2.0, 6.0]]))
        tensor([[1., 2., 3.]])
    """
    if not torch.jit.is_tracing():
        check_square(weight)
    rows, columns = torch.tril_indices(weight.shape[0], weight.shape[0], device=weight.device).unbind(0)
    scale = torch.where(rows == columns, 0.5, 1.0).to(weight.dtype)
    return (weight[rows, columns] * scale).unsqueeze(0)

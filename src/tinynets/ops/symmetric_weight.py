import torch
from torch import Tensor

from ._dispatch import custom_ops_apply, define_op, on_triton


def symmetric_weight(packed: Tensor, dim: int) -> Tensor:
    """W = L + L^T, where L is the lower triangle (diagonal included) that packed holds row by row.

    Args:
        packed: dim * (dim + 1) / 2 numbers in any shape.
        dim: side of the matrix.

    Returns:
        (dim, dim), exactly symmetric; its diagonal is twice the packed one.
    """
    if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript prunes by this condition alone)
        if custom_ops_apply():
            return torch.ops.tinynets.symmetric_weight(packed, dim)
    return _forward(packed, dim)


def _forward(packed: Tensor, dim: int) -> Tensor:
    rows, columns = torch.tril_indices(dim, dim, device=packed.device).unbind(0)
    lower = torch.zeros(dim, dim, dtype=packed.dtype, device=packed.device)
    lower = lower.index_put([rows, columns], packed.flatten())
    return lower + lower.t()


def _backward(grad: Tensor, packed: Tensor, dim: int) -> Tensor:
    """Every packed number is in two places: the sum of their gradients."""
    rows, columns = torch.tril_indices(dim, dim, device=grad.device).unbind(0)
    return (grad[rows, columns] + grad[columns, rows]).view(packed.shape)


def pack_symmetric(weight: Tensor) -> Tensor:
    """The packed lower triangle, shape (1, dim * (dim + 1) / 2), of which `symmetric_weight` makes weight again.

    Args:
        weight: (dim, dim), symmetric; only its lower triangle is read.
    """
    rows, columns = torch.tril_indices(weight.shape[0], weight.shape[0], device=weight.device).unbind(0)
    scale = torch.where(rows == columns, 0.5, 1.0).to(weight.dtype)
    return (weight[rows, columns] * scale).unsqueeze(0)


def _run(packed: Tensor, dim: int) -> Tensor:
    if on_triton(packed):
        from ._triton.symmetric_weight import forward

        return forward(packed, dim)
    return _forward(packed, dim)


def _run_backward(grad: Tensor, packed: Tensor, dim: int) -> Tensor:
    if on_triton(grad):
        from ._triton.symmetric_weight import backward

        return backward(grad, packed, dim)
    return _backward(grad, packed, dim)


def _setup(ctx, inputs, output) -> None:
    packed, ctx.dim = inputs
    ctx.save_for_backward(packed)


def _autograd(ctx, grad: Tensor):
    (packed,) = ctx.saved_tensors
    if torch.is_grad_enabled():  # linear: its gradient may be differentiated as it is
        return _backward(grad, packed, ctx.dim), None
    return torch.ops.tinynets.symmetric_weight_backward(grad, packed, ctx.dim), None


define_op("symmetric_weight", _run, lambda packed, dim: packed.new_empty(dim, dim), _autograd, _setup)
define_op("symmetric_weight_backward", _run_backward, lambda grad, packed, dim: torch.empty_like(packed))

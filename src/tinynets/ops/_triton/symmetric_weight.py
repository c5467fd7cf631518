import torch
import triton
import triton.language as tl
from torch import Tensor

from ._maps import jit, launcher

BLOCK = 512


def forward(packed: Tensor, dim: int) -> Tensor:
    weight = packed.new_empty(dim, dim)
    packed = packed.reshape(-1)
    launcher(symmetric_weight_kernel)[(triton.cdiv(dim * dim, BLOCK),)](
        packed, weight, packed.stride(0), dim, BLOCK=BLOCK
    )
    return weight


def backward(grad: Tensor, packed: Tensor, dim: int) -> Tensor:
    grad_packed = torch.empty(packed.shape, dtype=packed.dtype, device=packed.device)
    launcher(symmetric_weight_backward_kernel)[(triton.cdiv(dim * dim, BLOCK),)](
        grad, grad_packed, *grad.stride(), dim, BLOCK=BLOCK
    )
    return grad_packed


@jit
def symmetric_weight_kernel(packed_ptr, weight_ptr, stride, dim, BLOCK: tl.constexpr):
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    exists = index < dim * dim
    row = tl.maximum(index // dim, index % dim)
    column = tl.minimum(index // dim, index % dim)
    value = tl.load(packed_ptr + (row * (row + 1) // 2 + column).to(tl.int64) * stride, exists, 0.0)
    tl.store(weight_ptr + index, tl.where(row == column, value + value, value), exists)


@jit
def symmetric_weight_backward_kernel(grad_ptr, packed_ptr, s_row, s_column, dim, BLOCK: tl.constexpr):
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = (index // dim).to(tl.int64)
    column = (index % dim).to(tl.int64)
    exists = (row < dim) & (column <= row)
    lower = tl.load(grad_ptr + row * s_row + column * s_column, exists, 0.0)
    upper = tl.load(grad_ptr + column * s_row + row * s_column, exists, 0.0)
    tl.store(packed_ptr + row * (row + 1) // 2 + column, lower + upper, exists)

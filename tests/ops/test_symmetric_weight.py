import pytest
import torch

from tinynets.ops import pack_symmetric, symmetric_weight


def test_is_the_lower_triangle_plus_its_transpose():
    packed = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    assert symmetric_weight(packed, 3).tolist() == [[2.0, 2.0, 4.0], [2.0, 6.0, 5.0], [4.0, 5.0, 12.0]]


@pytest.mark.parametrize("dim", [1, 2, 7])
def test_packing_is_undone(dim):
    matrix = torch.randn(dim, dim)
    matrix = matrix + matrix.t()
    packed = pack_symmetric(matrix)
    assert packed.shape == (1, dim * (dim + 1) // 2)
    assert torch.equal(symmetric_weight(packed, dim), matrix)


def test_gradient():
    packed = torch.randn(1, 10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: symmetric_weight(p, 4), (packed,))

import pytest
import torch
from torch.nn import functional as F

from tinynets.layers import SymmetricConv1x1


@pytest.mark.parametrize("channels", [1, 2, 3, 48, 384])
def test_starts_symmetric_and_orthogonal(channels):
    layer = SymmetricConv1x1(channels)
    assert sum(p.numel() for p in layer.parameters()) == channels * (channels + 1) // 2
    weight = layer.weight_matrix()
    assert torch.equal(weight, weight.t())
    assert (weight @ weight.t() - torch.eye(channels)).abs().max() < 1e-5


def test_half_of_the_eigenvalues_are_negative():
    values = torch.linalg.eigvalsh(SymmetricConv1x1(10).weight_matrix())
    torch.testing.assert_close(values, torch.tensor([-1.0] * 5 + [1.0] * 5), rtol=0, atol=1e-5)


def test_a_recursion_keeps_its_norm():
    layer, x = SymmetricConv1x1(48), torch.randn(2, 48, 4, 4)
    y = x
    for _ in range(50):
        y = layer(y)
    torch.testing.assert_close(y.norm(), x.norm(), rtol=1e-3, atol=0)


def test_is_a_1x1_convolution_and_stays_symmetric_while_training():
    layer, x = SymmetricConv1x1(5), torch.randn(2, 5, 3, 3)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        layer(x).square().sum().backward()
        optimizer.step()
    weight = layer.weight_matrix()
    assert torch.equal(weight, weight.t())
    torch.testing.assert_close(layer(x), F.conv2d(x, weight[:, :, None, None]))
    assert torch.equal(layer(x, weight), layer(x))


def test_draws_depend_on_the_seed_only():
    torch.manual_seed(3)
    first = SymmetricConv1x1(4).weight_matrix()
    torch.manual_seed(3)
    assert torch.equal(SymmetricConv1x1(4).weight_matrix(), first)
    assert not torch.equal(SymmetricConv1x1(4).weight_matrix(), first)

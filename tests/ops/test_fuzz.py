import pytest
import torch
from fuzz_ops import OPS, worst

from tinynets import ops

LARGEST = 256  # units of epsilon; the worst of 5,000 cases is below a quarter of it


@pytest.fixture(params=[0, 1 << 17], ids=["as if large", "by size"], autouse=True)
def _both_forms(request, every_input_counts_as_large, monkeypatch):
    monkeypatch.setattr("tinynets.ops._box_filter._SMALL", request.param)


def assert_close(table):
    off = {key: errors for key, (_, *errors) in table.items() if max(errors) > LARGEST}
    assert not off


def test_random_calls_are_as_exact_as_the_plain_formula():
    table = worst(28 * len(OPS), first_seed=7_080)  # with large maps of every op; others take half a minute
    assert {op for op, _ in table} == set(OPS)
    assert_close(table)


@pytest.mark.slow
def test_thousands_of_random_calls():
    assert_close(worst(3000, first_seed=100_000))


MAPS = {
    "divisive_norm": (ops.divisive_norm, lambda n, c, h, w: []),
    "local_variance": (ops.local_variance, lambda n, c, h, w: []),
    "depthwise_conv2d": (ops.depthwise_conv2d, lambda n, c, h, w: [(c, 1, 3, 3), (c,)]),
    "gated_dilated_conv2d": (
        lambda x, w, b, g: ops.gated_dilated_conv2d(x, w, b, g, [1, 2, 4]),
        lambda n, c, h, w: [(c, 1, 3, 3), (c,), (n, 3, h, w)],
    ),
}


@pytest.mark.parametrize("op", MAPS)
@pytest.mark.parametrize("size", [(1 << 20, 64, 8, 8), (3, 1 << 14, 1 << 9, 1 << 9)])
def test_more_elements_than_32_bits_count(op, size):
    """On meta, forward and backward: shapes and strides are made without a number that overflows."""
    function, others = MAPS[op]
    inputs = [torch.empty(s, device="meta", requires_grad=True) for s in (size, *others(*size))]
    y = function(*inputs)
    assert y.shape == (*size,)
    grads = torch.autograd.grad(y, inputs, torch.empty_like(y))
    assert [g.shape for g in grads] == [t.shape for t in inputs]


@pytest.mark.parametrize("op", MAPS)
def test_offsets_beyond_32_bits(op):
    """Images that lie 2^31 elements apart: memory that is reserved and, but for a few pages, never touched."""
    function, others = MAPS[op]
    size, apart = (2, 3, 6, 5), (1 << 31) + 8
    far = torch.empty(apart + 90, dtype=torch.float16).as_strided(size, (apart, 30, 5, 1))
    far.copy_(torch.randn(size))
    rest = [torch.randn(s).half() for s in others(*size)]
    near = [t.requires_grad_() for t in (far.contiguous(), *rest)]
    assert torch.equal(function(far, *(t.detach() for t in rest)), function(*(t.detach() for t in near)))
    y, expected = function(far.requires_grad_(), *rest), function(*near)
    assert torch.equal(y, expected)
    grads = torch.autograd.grad(y.float().sum(), [far, *rest])
    for a, b in zip(grads, torch.autograd.grad(expected.float().sum(), near), strict=True):
        torch.testing.assert_close(a, b)

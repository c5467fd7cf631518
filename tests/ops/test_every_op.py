"""Requirements of every op."""

import importlib

import pytest
import torch
from torch.library import opcheck

from tinynets import ops

DILATIONS = [1, 2, 4]


def gated(x, weight, bias, gate):
    return ops.gated_dilated_conv2d(x, weight, bias, gate, DILATIONS)


def inputs_of(name, size=(6, 7), dtype=torch.float32, images=2):
    torch.manual_seed(0)
    x = torch.randn(images, 3, *size, dtype=dtype)
    return {
        "divisive_norm": [x],
        "local_variance": [x],
        "gated_dilated_conv2d": [
            x,
            torch.randn(3, 1, 3, 3, dtype=dtype),
            torch.randn(3, dtype=dtype),
            torch.rand(images, 3, *size, dtype=dtype),
        ],
    }[name]


OPS = {
    "divisive_norm": (ops.divisive_norm, (3, 1e-3)),
    "local_variance": (ops.local_variance, (3,)),
    "gated_dilated_conv2d": (gated, (DILATIONS,)),
}


@pytest.fixture(params=OPS)
def name(request):
    return request.param


def reference(name, inputs):
    return importlib.import_module(f"tinynets.ops._{name}")._forward(*inputs, *OPS[name][1])


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 3), (9, 8), (16, 16)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_agrees_with_the_plain_formula_forward_and_backward(name, size, memory_format):
    inputs = inputs_of(name, size)
    inputs = [t.to(memory_format=memory_format) if t.ndim == 4 else t for t in inputs]
    ours = [t.clone().requires_grad_() for t in inputs]
    exact = [t.double().requires_grad_() for t in inputs]
    y, expected = OPS[name][0](*ours), reference(name, exact)
    grad = torch.randn_like(y)
    y.backward(grad)
    expected.backward(grad.double())
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-5)
    for a, b in zip(ours, exact, strict=True):
        torch.testing.assert_close(a.grad.double(), b.grad, rtol=1e-4, atol=1e-4)
    assert y.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)])
def test_gradients_of_every_input(name, size):
    inputs = [t.requires_grad_() for t in inputs_of(name, size, torch.float64, images=1)]
    assert torch.autograd.gradcheck(OPS[name][0], inputs)


def test_second_derivatives_are_refused(name):
    x, *rest = (t.requires_grad_() for t in inputs_of(name))
    loss = OPS[name][0](x, *rest).sum() + x.pow(3).sum()
    (grad,) = torch.autograd.grad(loss, x, create_graph=True)
    with pytest.raises(RuntimeError, match="no autograd formula"):
        grad.sum().backward()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # raised by opcheck itself
def test_opcheck(name):
    inputs = [t.requires_grad_() for t in inputs_of(name)]
    opcheck(getattr(torch.ops.tinynets, name).default, (*inputs, *OPS[name][1]))


@pytest.mark.parametrize("dynamic", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_compiles_whole_forward_and_backward(name, dynamic):
    compiled = torch.compile(OPS[name][0], fullgraph=True, dynamic=dynamic, backend="aot_eager")
    ours, theirs = ([t.requires_grad_() for t in inputs_of(name)] for _ in range(2))
    y, expected = OPS[name][0](*ours), compiled(*theirs)
    torch.testing.assert_close(expected, y, rtol=1e-4, atol=1e-5)
    grad = torch.randn_like(y)
    y.backward(grad)
    expected.backward(grad)
    for a, b in zip(theirs, ours, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-4)


def test_under_torch_func(name):
    inputs = inputs_of(name)
    direct = [t.clone().requires_grad_() for t in inputs]
    OPS[name][0](*direct).sum().backward()
    grads = torch.func.grad(lambda *t: OPS[name][0](*t).sum(), tuple(range(len(inputs))))(*inputs)
    for a, b in zip(grads, direct, strict=True):
        torch.testing.assert_close(a, b.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(name, dtype):
    inputs = [t.to(dtype) for t in inputs_of(name)]
    y = OPS[name][0](*(t.clone().requires_grad_() for t in inputs))
    y.backward(torch.ones_like(y))
    assert y.dtype == dtype
    expected = reference(name, [t.double() for t in inputs])
    assert (y.double() - expected).abs().max() < 8 * torch.finfo(dtype).eps * expected.abs().max()


def test_window_statistics_keep_their_type_under_autocast(name):
    if name not in ("divisive_norm", "local_variance"):
        pytest.skip("no window statistics")
    (x,) = inputs_of(name)
    x = x.contiguous(memory_format=torch.channels_last)
    expected = OPS[name][0](x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(OPS[name][0](x), expected)


def test_small_inputs_in_few_calls(name, monkeypatch):
    monkeypatch.setattr("tinynets.ops._box_filter._SMALL", 1 << 17)
    inputs = [t.requires_grad_() for t in inputs_of(name)]
    y = OPS[name][0](*inputs)
    expected = reference(name, inputs)
    torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-4)
    assert y.stride() == torch.empty_like(inputs[0]).stride()
    grads = torch.autograd.grad(y, inputs, torch.ones_like(y))
    for a, b in zip(grads, torch.autograd.grad(expected, inputs, torch.ones_like(y)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_chunks_of_a_batch_make_the_whole(name, monkeypatch):
    from tinynets.ops import _dispatch

    inputs = [t.requires_grad_() for t in inputs_of(name, (8, 8), images=5)]
    y = OPS[name][0](*inputs)
    grads = torch.autograd.grad(y, inputs, torch.ones_like(y))
    small = lambda x, elements=0: (slice(i, i + 2) for i in range(0, x.shape[0], 2))  # noqa: E731
    for module in ("divisive_norm", "local_variance", "gated_dilated_conv2d"):
        monkeypatch.setattr(importlib.import_module(f"tinynets.ops._{module}"), "chunks", small)
    again = OPS[name][0](*inputs)
    torch.testing.assert_close(again, y)
    for a, b in zip(torch.autograd.grad(again, inputs, torch.ones_like(y)), grads, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    assert [chunk.stop for chunk in _dispatch.chunks(torch.empty(10, 2, 2, 2), 24)] == [3, 6, 9, 12]

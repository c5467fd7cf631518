import importlib

import pytest
import torch
from torch.nn import functional as F

from tinynets.ops import depthwise_conv2d


def plain(x, weight, bias, dilation):
    return F.conv2d(x, weight, bias, padding=dilation * (weight.shape[-1] // 2), dilation=dilation, groups=x.shape[1])


def inputs_of(size=(9, 7), kernel_size=3, dtype=torch.float32, images=3):
    torch.manual_seed(0)
    x = torch.randn(images, 4, *size, dtype=dtype).contiguous(memory_format=torch.channels_last)
    return [x, torch.randn(4, 1, kernel_size, kernel_size, dtype=dtype), torch.randn(4, dtype=dtype)]


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (4, 4), (9, 7), (16, 16)])
@pytest.mark.parametrize("dilation", [1, 2, 3, 5])
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_is_torchs_convolution_forward_and_backward(size, dilation, kernel_size, memory_format):
    inputs = inputs_of(size, kernel_size)
    inputs[0] = inputs[0].contiguous(memory_format=memory_format)
    ours = [t.clone().requires_grad_() for t in inputs]
    exact = [t.double().requires_grad_() for t in inputs]
    y, expected = depthwise_conv2d(*ours, dilation), plain(*exact, dilation)
    grad = torch.randn(y.shape)
    y.backward(grad)
    expected.backward(grad.double())
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-5)
    for a, b in zip(ours, exact, strict=True):
        torch.testing.assert_close(a.grad.double(), b.grad, rtol=1e-4, atol=1e-4)


def test_trains_by_its_own_backward_pass():
    """Not by torch's, which is the slow one, at dilations above 1."""
    for dilation, name in ((1, "ConvolutionBackward0"), (2, "_DepthwiseBackward")):
        x, weight, _ = (t.requires_grad_() for t in inputs_of())
        assert depthwise_conv2d(x, weight, None, dilation).grad_fn.name() == name


@pytest.mark.parametrize("needed", [(True, False), (False, True)])
def test_gradients_only_where_required(needed):
    x, weight, _ = inputs_of(dtype=torch.float64)
    x.requires_grad_(needed[0])
    weight.requires_grad_(needed[1])
    wanted = [t for t in (x, weight) if t.requires_grad]
    grads = torch.autograd.grad(depthwise_conv2d(x, weight, None, 2).square().sum(), wanted)
    expected = torch.autograd.grad(plain(x, weight, None, 2).square().sum(), wanted)
    torch.testing.assert_close(grads, expected)


def test_first_derivatives_and_no_second_ones():
    inputs = [t.requires_grad_() for t in inputs_of((5, 6), dtype=torch.float64, images=1)]
    assert torch.autograd.gradcheck(lambda *t: depthwise_conv2d(*t, 2), inputs)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(depthwise_conv2d(*inputs, 2).sum(), inputs, create_graph=True)


def test_chunks_of_a_batch_make_the_whole(monkeypatch):
    import importlib

    module = importlib.import_module("tinynets.ops._depthwise_conv2d")
    x, weight, bias = (t.requires_grad_() for t in inputs_of(images=5))
    expected = torch.autograd.grad(depthwise_conv2d(x, weight, bias, 2).square().sum(), (x, weight, bias))
    monkeypatch.setattr(module, "chunks", lambda x: (slice(i, i + 2) for i in range(0, 5, 2)))
    grads = torch.autograd.grad(depthwise_conv2d(x, weight, bias, 2).square().sum(), (x, weight, bias))
    torch.testing.assert_close(grads, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    inputs = [t.requires_grad_() for t in inputs_of(dtype=dtype)]
    y = depthwise_conv2d(*inputs, 2)
    assert y.dtype == dtype
    grads = torch.autograd.grad(y, inputs, torch.ones_like(y))
    exact = [t.detach().double().requires_grad_() for t in inputs]
    expected = torch.autograd.grad(plain(*exact, 2).sum(), exact)
    for a, b in zip(grads, expected, strict=True):
        assert (a.double() - b).abs().max() < 8 * torch.finfo(dtype).eps * b.abs().max()


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_autocast_compilers_and_transforms_get_torchs_form():
    x, weight, bias = (t.requires_grad_() for t in inputs_of())
    with torch.autocast("cpu", torch.bfloat16):
        assert depthwise_conv2d(x, weight, bias, 2).dtype == torch.bfloat16
    expected = plain(x, weight, bias, 2)
    compiled = torch.compile(depthwise_conv2d, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, weight, bias, 2), expected)
    torch.testing.assert_close(torch.jit.script(depthwise_conv2d)(x, weight, bias, 2), expected)
    grad = torch.func.grad(lambda x: depthwise_conv2d(x, weight, bias, 2).sum())(x.detach())
    torch.testing.assert_close(grad, torch.autograd.grad(expected.sum(), x)[0])


def test_triton_is_used_where_its_kernels_apply(monkeypatch):
    module = importlib.import_module("tinynets.ops._depthwise_conv2d")
    monkeypatch.setattr(module, "on_triton", lambda x: True)
    x = torch.ones(1, 2, 1, 1).expand(1, 2, 3000, 3000)
    weight = torch.ones(2, 1, 3, 3, requires_grad=True)
    assert module._use_custom_backward(x, weight, 2)
    assert not module._use_custom_backward(x[..., :4], weight, 2)  # most taps see only padding
    assert not module._use_custom_backward(x, weight, 1024)  # dilations are packed into 10 bits
    assert not module._use_custom_backward(x, torch.ones(2, 1, 9, 9, requires_grad=True), 2)

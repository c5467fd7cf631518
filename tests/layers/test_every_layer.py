"""Requirements of every layer: any size, layout, type and device argument, scripting, compiling."""

import warnings

import pytest
import torch

from tinynets.layers import (
    BlurPool,
    ConvBnAct,
    DivisiveNorm,
    DWSeparable,
    EntropyGate,
    GatedDilatedConv2d,
    ISNorm,
    SymmetricConv1x1,
)

C = 6
LAYERS = {
    "blur_pool": lambda **dd: BlurPool(C, **dd),
    "conv_bn_act": lambda **dd: ConvBnAct(C, 4, **dd),
    "divisive_norm": lambda **dd: DivisiveNorm(**dd),
    "dw_separable": lambda **dd: DWSeparable(C, 4, act_layer=torch.nn.ReLU, **dd),
    "entropy_gate": lambda **dd: EntropyGate(C, **dd),
    "gated_dilated_conv2d": lambda **dd: GatedDilatedConv2d(C, **dd),
    "is_norm": lambda **dd: ISNorm(C, 3, **dd),
    "symmetric_conv1x1": lambda **dd: SymmetricConv1x1(C, **dd),
}


@pytest.fixture(params=LAYERS)
def layer_name(request):
    return request.param


def call(name, layer, x):
    if name == "is_norm":
        return layer(x, 1)
    if name == "gated_dilated_conv2d":
        return layer(x, x[:, :3].softmax(1))
    return layer(x)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3), (8, 8)])
def test_any_size_and_layout(layer_name, size):
    layer = LAYERS[layer_name]().eval()
    x = torch.randn(2, C, *size)
    expected = call(layer_name, layer, x)
    assert expected.isfinite().all()
    assert expected.shape[2:] == tuple((s + 1) // 2 if layer_name == "blur_pool" else s for s in size)
    channels_last = call(layer_name, layer, x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(channels_last, expected, rtol=1e-5, atol=1e-5)
    strided = torch.empty(2, C, size[0], size[1], 2)[..., 0].copy_(x)
    torch.testing.assert_close(call(layer_name, layer, strided), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_floating_type_forward_and_backward(layer_name, dtype):
    layer = LAYERS[layer_name](dtype=dtype)
    assert all(p.dtype == dtype for p in layer.parameters())
    x = torch.randn(2, C, 5, 7, dtype=dtype, requires_grad=True)
    out = call(layer_name, layer, x)
    assert out.dtype == dtype
    assert out.isfinite().all()
    out.float().square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert all(
        p.grad is not None for name, p in layer.named_parameters() if "steps.0" not in name and "steps.2" not in name
    )


def test_half_precision_agrees_with_fp32(layer_name):
    layer = LAYERS[layer_name]().eval()
    half = LAYERS[layer_name](dtype=torch.bfloat16).eval()
    half.load_state_dict(layer.state_dict())
    layer.load_state_dict(half.state_dict())
    x = torch.randn(2, C, 5, 7).bfloat16()
    torch.testing.assert_close(
        call(layer_name, half, x).float(), call(layer_name, layer, x.float()), rtol=0.05, atol=0.05
    )


def test_autocast(layer_name):
    layer = LAYERS[layer_name]()
    x = torch.randn(2, C, 5, 7, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = call(layer_name, layer, x)
    out.float().square().sum().backward()
    assert out.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_empty_batch(layer_name):
    layer = LAYERS[layer_name]().eval()
    assert call(layer_name, layer, torch.randn(0, C, 4, 4)).shape[0] == 0


def test_meta_device(layer_name):
    layer = LAYERS[layer_name](device="meta")
    assert all(t.is_meta for t in (*layer.parameters(), *layer.buffers()))
    x = torch.randn(2, C, 4, 4, device="meta")
    assert call(layer_name, layer.eval(), x).is_meta


def test_script(layer_name):
    layer = LAYERS[layer_name]().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated, but supported
        scripted = torch.jit.script(layer)
    x = torch.randn(2, C, 5, 7)
    torch.testing.assert_close(call(layer_name, scripted, x), call(layer_name, layer, x))


def test_compile_whole_graph(layer_name):
    torch._dynamo.reset()  # compilations of other tests count towards torch's limit
    layer = LAYERS[layer_name]().eval()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, C, 5, 7)
    torch.testing.assert_close(call(layer_name, compiled, x), call(layer_name, layer, x))


def test_images_are_independent(layer_name):
    """An image's result does not depend on its batch in evaluation mode."""
    layer = LAYERS[layer_name]().eval()
    x = torch.randn(3, C, 5, 7)
    torch.testing.assert_close(call(layer_name, layer, x)[1:2], call(layer_name, layer, x[1:2]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SymmetricConv1x1(0), "channels must be an integer of at least 1, got 0"),
        (lambda: SymmetricConv1x1(2.5), "channels must be an integer"),
        (lambda: EntropyGate(8, kernel_size=4), "kernel_size must be odd"),
        (lambda: EntropyGate(8, tau=0), "tau must be positive"),
        (lambda: ISNorm(8, 0), "num_steps must be an integer of at least 1"),
        (lambda: DivisiveNorm(kernel_size=2), "kernel_size must be odd"),
        (lambda: DivisiveNorm(eps=0), "eps must be positive"),
        (lambda: BlurPool(8, stride=0), "stride must be an integer of at least 1"),
        (lambda: DWSeparable(8, -1), "out_chans must be an integer of at least 1"),
        (lambda: DWSeparable(8, 4, kernel_size=4, dilation=2), "kernel_size must be odd"),
        (lambda: DWSeparable(8, 4, dilation=1.5), "dilation must be an integer"),
        (lambda: GatedDilatedConv2d(8, dilations=(1, 0)), r"dilations\[1\] must be"),
        (lambda: GatedDilatedConv2d(8, dilations=()), "at least one dilation"),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()

"""Every capture method of a model, run at another batch size than captured."""

import io
import warnings

import pytest
import torch
from captures import METHODS, ONNX, narrow

import tinynets

WITH_OPS = ("egrr_cifar100", "ecnet_cifar10")  # the others consist of torch's own layers
CASES = [
    pytest.param((name, form), marks=[] if name in WITH_OPS else pytest.mark.slow, id=f"{form}-{name}")
    for name in tinynets.list_models()
    for form in ("plain", "fused")
]


@pytest.fixture(params=CASES)
def model(request):
    name, form = request.param
    return narrow(name, form == "fused")


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize(
    "method", [method for method in METHODS if method not in ONNX], ids=lambda method: method.__name__
)
def test_a_program_is_right_at_another_batch_size(model, method):
    check_another_batch_size(model, method)


QUICK = {
    ("onnx_by_trace", "egrr_cifar100", True),
    ("onnx_by_trace", "ecnet_cifar10", False),
    ("onnx_by_export", "ecnet_cifar10", True),
}


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize(
    ("method", "name", "fused"),
    [
        pytest.param(method, name, fused, marks=[] if (method.__name__, name, fused) in QUICK else pytest.mark.slow)
        for method in ONNX
        for name in tinynets.list_models()
        for fused in (False, True)
    ],
)
def test_an_onnx_file_is_right_at_another_batch_size(name, fused, method):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    check_another_batch_size(narrow(name, fused), method)


def check_another_batch_size(model, method):
    size = model.pretrained_cfg["input_size"]
    with torch.no_grad():
        program = method(model, torch.randn(5, *size))
        for x in (torch.randn(70, *size), torch.randn(2, *size)):
            torch.testing.assert_close(program(x), model(x), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_a_trace_needs_neither_warnings_nor_this_package(model):
    x = torch.randn(2, *model.pretrained_cfg["input_size"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)
        program = torch.jit.trace(model, x, check_trace=False)
    assert "tinynets::" not in str(program.inlined_graph)
    buffer = io.BytesIO()
    torch.jit.save(program, buffer)
    assert len(buffer.getvalue()) > 0


def test_meta_tensors_give_the_shape(name):
    with torch.device("meta"):
        model = tinynets.create_model(name)
    assert model(torch.empty(5, *model.pretrained_cfg["input_size"], device="meta")).shape == (5, model.num_classes)


@pytest.mark.parametrize("assign", [False, True])
def test_made_on_meta_and_loaded_it_computes_the_same(name, assign):
    model = tinynets.create_model(name).eval()
    other = tinynets.create_model(name, device="meta").eval()
    if not assign:
        other.to_empty(device="cpu")
    other.load_state_dict(model.state_dict(), strict=True, assign=assign)
    x = torch.randn(2, *model.pretrained_cfg["input_size"])
    with torch.no_grad():
        assert torch.equal(other(x), model(x))

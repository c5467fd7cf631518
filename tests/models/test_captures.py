"""Every way to make a program of a model, run at another batch size than it was made with."""

import io
import warnings

import pytest
import torch

import tinynets

# 70 images of these are more than one piece of a batch for the ops
NARROW = {
    "ecnet_cifar10": {"channels": 16},
    "egrr_cifar100": {"channels": (16, 24), "num_steps": (2, 3), "strides": (1, 2)},
}


def traced(model, x):
    return torch.jit.trace(model, x)


def scripted(model, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated, not gone
        return torch.jit.script(model)


def by_fx(model, x):
    return torch.fx.symbolic_trace(model)


def exported(model, x):
    shapes = ({0: torch.export.Dim("batch", min=2, max=4096)},)
    return torch.export.export(model, (x,), dynamic_shapes=shapes).module()


def by_make_fx(model, x):
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(model, tracing_mode="symbolic", _allow_non_fake_inputs=True)(x)


def by_vmap(model, x):
    return torch.func.vmap(lambda image: model(image.unsqueeze(0))[0])


def under_a_default_device(model, x):
    def call(x):
        with torch.device("meta"):
            return model(x)

    return call


WAYS = [traced, scripted, by_fx, exported, by_make_fx, by_vmap, under_a_default_device]


@pytest.fixture(params=["plain", "fused"])
def model(request, name):
    torch.manual_seed(0)
    model = tinynets.create_model(name, **NARROW.get(name, {"width": 0.5})).eval()
    return tinynets.fuse(model) if request.param == "fused" else model.requires_grad_(False)


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_program_is_right_at_another_batch_size(model, way):
    size = model.pretrained_cfg["input_size"]
    made_with, run_with = torch.randn(5, *size), torch.randn(70, *size)
    program = way(model, made_with)
    with torch.no_grad():
        torch.testing.assert_close(program(run_with), model(run_with), rtol=1e-4, atol=1e-4)


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

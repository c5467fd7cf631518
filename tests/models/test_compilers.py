"""TorchScript, FX, torch.compile and torch.export, for every model."""

import copy
import io
import pickle
import warnings

import pytest
import timm
import torch

import tinynets

# the others consist of torch's own layers
with_ops = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("egrr_cifar100", "ecnet_cifar10") else pytest.mark.slow)
        for name in tinynets.list_models()
    ],
)


@pytest.fixture
def model(name):
    return tinynets.create_model(name).eval()


@pytest.fixture
def quick(name):
    """The model, but with two steps where the recursion is unrolled: the graph grows with the steps."""
    few = {
        "egrr_cifar100": {"channels": (8,), "num_steps": (2,), "strides": (2,)},
        "ecnet_cifar10": {"channels": 16, "iterations": 2},
    }
    return tinynets.create_model(name, **few.get(name, {})).eval()


@pytest.fixture
def x(model):
    return torch.randn(2, *model.pretrained_cfg["input_size"])


@pytest.fixture
def script():
    def quietly(module):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scripting is deprecated, but supported
            return torch.jit.script(module)

    return quietly


def test_script(quick, x, script):
    scripted = script(quick)
    torch.testing.assert_close(scripted(x), quick(x))  # the plain formulas against the ops
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = io.BytesIO()
        torch.jit.save(scripted, file)
        file.seek(0)
        assert torch.equal(torch.jit.load(file)(x), scripted(x))
    scripted.train()(x).sum().backward()
    assert all(p.grad is not None for p in scripted.parameters())


def test_fx_is_exactly_equal(model, x):
    traced = torch.fx.symbolic_trace(model)
    assert torch.equal(traced(x), model(x))
    assert torch.equal(pickle.loads(pickle.dumps(traced))(x), model(x))


def test_timm_feature_extractor(model, x):
    last = model.feature_info[-1]["module"]
    if last == "block":
        pytest.skip("the tied block runs several times")
    extractor = timm.models.create_feature_extractor(copy.deepcopy(model), [last])
    assert torch.equal(extractor(x)[last], model.forward_features(x))


@with_ops
def test_compile_whole_graph(quick, x):
    compiled = torch.compile(quick, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), quick(x))


@pytest.mark.slow
def test_compile_whole_training_graph(quick, x):
    torch.compile(quick.train(), fullgraph=True, backend="aot_eager")(x).sum().backward()
    assert all(p.grad is not None for p in quick.parameters())


@pytest.mark.slow
def test_inductor(model, x):
    compiled = torch.compile(model, fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_export_with_a_dynamic_batch(model, x):
    """At full size; of small models `test_captures` does it."""
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.testing.assert_close(program.module()(x), model(x))
    more = torch.cat([x, x, x])
    torch.testing.assert_close(program.module()(more), model(more), rtol=1e-4, atol=1e-5)

import copy
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file
from support import EGRR_ARGS, randomised
from timm.utils.model import freeze_batch_norm_2d
from torch import nn

import tinynets
from tinynets.layers import EntropyGate


def trained(name, seed=0, **kwargs):
    torch.manual_seed(seed)
    return randomised(tinynets.create_model(name, **kwargs), seed)


def images(model, count=4):
    return torch.randn(count, *model.pretrained_cfg["input_size"])


def assert_equal_logits(fused, model, x):
    with torch.inference_mode():
        expected, logits = model(x), fused(x)
    assert (logits - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.fixture(params=tinynets.list_models())
def model(request):
    return trained(request.param)


def test_is_the_same_function_without_norms(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fused = tinynets.fuse(model)
    assert_equal_logits(fused, model, images(model))
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in fused.modules())
    assert not any(parameter.requires_grad for parameter in fused.parameters())
    assert not any(module.training for module in fused.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", tinynets.list_models())
def test_a_hundred_random_nets(name, seed):
    width = {"ecnet_cifar10": {"channels": 24}, "egrr_cifar100": EGRR_ARGS}.get(name, {"width": 0.5})
    model = trained(name, seed, num_classes=7, **width)
    assert_equal_logits(tinynets.fuse(model), model, images(model, 2))


def test_fuses_once(model):
    fused = tinynets.fuse(model)
    again = tinynets.fuse(fused)
    x = images(model)
    assert again is not fused
    assert torch.equal(again(x), fused(x))


def test_channels_last_and_half_precision(model):
    fused = tinynets.fuse(model)
    x = images(model)
    expected = fused(x)
    last = fused.to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(x.to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-4)
    half = tinynets.fuse(model.bfloat16())(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert (half.float() - expected).abs().max() < 0.1 * expected.abs().max()


def test_script_export_and_trace(name):
    few = {"egrr_cifar100": EGRR_ARGS, "ecnet_cifar10": {"channels": 8, "iterations": 3}}  # the graph grows with them
    model = trained(name, **few.get(name, {}))
    fused, x = tinynets.fuse(model), images(model)
    expected = fused(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated, but supported
        scripted = torch.jit.script(fused)
    torch.testing.assert_close(scripted(x), expected, rtol=1e-4, atol=1e-4)
    program = torch.export.export(fused, (x,))
    assert not any("tinynets" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(x), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.fx.symbolic_trace(fused)(x), expected, rtol=1e-4, atol=1e-4)


def test_batches_larger_than_a_chunk():
    model = trained("egrr_cifar100", width=0.25)
    fused, x = tinynets.fuse(model), torch.randn(70, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(fused(x), torch.cat([fused(part) for part in x.split(7)]), rtol=1e-4, atol=1e-4)


def test_stages_leave_the_features_before_them_alone():
    fused = tinynets.fuse(trained("egrr_cifar100", width=0.25))
    with torch.inference_mode():
        last, features = fused.forward_intermediates(torch.randn(2, 3, 32, 32))
        x = features[0]
        for stage, expected in zip(fused.stages[1:], features[1:], strict=True):
            x = stage(x)
            assert torch.equal(x, expected)
    assert torch.equal(last, features[-1])


def test_gradients_of_the_image():
    model = trained("egrr_cifar100", width=0.25)
    x = torch.randn(2, 3, 32, 32, requires_grad=True)
    (expected,) = torch.autograd.grad(model(x).square().sum(), x)
    (grad,) = torch.autograd.grad(tinynets.fuse(model)(x).square().sum(), x)
    assert (grad - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_recursion(dynamic, monkeypatch):
    from tinynets.deploy.inference import egrr

    monkeypatch.setattr(egrr, "chunks", lambda x: (slice(i, i + 2) for i in range(0, x.shape[0], 2)))
    fused = tinynets.fuse(trained("egrr_cifar100", width=0.25))
    stage = fused.stages[2]
    torch._dynamo.reset()
    compiled = torch.compile(stage, backend="aot_eager", dynamic=dynamic, fullgraph=True)
    with torch.inference_mode():
        for count in (4, 6, 0):
            x = torch.randn(count, 24, 6, 6)
            torch.testing.assert_close(compiled(x), stage(x), rtol=1e-5, atol=1e-5)


def test_hard_selects_the_most_probable_dilation():
    soft = trained("egrr_cifar100", width=0.25)
    hard = trained("egrr_cifar100", width=0.25, hard=True)
    hard.load_state_dict(soft.state_dict())
    x = images(soft)
    torch.testing.assert_close(tinynets.fuse(soft, hard=True)(x), hard(x), rtol=1e-4, atol=1e-4)
    assert not any(module.hard for module in soft.modules() if isinstance(module, EntropyGate))
    assert torch.equal(tinynets.fuse(hard)(x), tinynets.fuse(soft, hard=True)(x))


def test_hard_needs_gates():
    with pytest.raises(ValueError, match="hard=True needs an EntropyGate, SimpleCNN has none"):
        tinynets.fuse(tinynets.create_model("simplecnn_mnist"), hard=True)


def test_a_shared_module_stays_shared():
    shared = tinynets.layers.ConvBnAct(3, 3)
    model = nn.ModuleDict({"a": nn.Sequential(shared), "b": nn.Sequential(nn.ReLU(), shared)})
    fused = tinynets.fuse(model)
    assert fused["a"][0] is fused["b"][1]
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    assert isinstance(shared.bn, nn.BatchNorm2d)


def test_norms_with_batch_statistics_are_kept():
    model = tinynets.create_model("simplecnn_mnist", batch_stats=True).eval()
    assert_equal_logits(tinynets.fuse(model), model, images(model))


def test_prunes_like_the_original_net():
    model = trained("ecnet_cifar10", channels=16)
    fused = tinynets.fuse(model)
    for net in (model, fused):
        net.prune_intermediate_layers([0])
    assert_equal_logits(fused, model, images(model))


def test_summary_and_receptive_field_see_the_same_net(model):
    fused = tinynets.fuse(model)
    assert tinynets.receptive_field(fused).size == tinynets.receptive_field(model).size
    # constants of gates and norms are folded, convolutions are unchanged
    assert tinynets.summary(fused).macs == tinynets.summary(model).macs


def test_a_fused_state_can_be_saved_and_loaded(model, tmp_path):
    fused = tinynets.fuse(model)
    save_file(fused.state_dict(), tmp_path / "fused.safetensors")
    other = tinynets.fuse(trained(model.pretrained_cfg["architecture"], seed=1))
    other.load_state_dict(load_file(tmp_path / "fused.safetensors"))
    x = images(model)
    assert torch.equal(other(x), fused(x))


class InPlace(nn.Module):
    """As in detection libraries: `fuse` changes the module itself and returns nothing."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)

    def forward(self, x):
        return self.bn(self.conv(x))

    def fuse(self):
        self.bn = nn.Identity()


class Named(nn.Module):
    """An attribute that is called `fuse` and is no method."""

    fuse = True

    def forward(self, x):
        return x + 1


class Louder(tinynets.layers.ConvBnAct):
    """A class of somebody's own that inherits our `fuse` and computes something else."""

    def forward(self, input):
        return 2 * super().forward(input)


@pytest.mark.parametrize("block", [InPlace(), Named(), nn.Sequential(Louder(3, 8))])
def test_a_third_party_fuse_is_not_called(block):
    net = nn.Sequential(block, tinynets.layers.ConvBnAct(8 if not isinstance(block, Named) else 3, 4)).eval()
    fused = tinynets.fuse(net)
    x = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(fused(x), net(x), rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused[1].modules())


def test_frozen_norms_fuse(model):
    frozen = copy.deepcopy(model)
    freeze_batch_norm_2d(frozen)
    fused = tinynets.fuse(frozen)
    assert_equal_logits(fused, model, images(model))
    assert not any("BatchNorm" in type(module).__name__ for module in fused.modules())


@pytest.mark.parametrize("name", ["egrr_cifar100", "ecnet_cifar10"])
def test_replaced_norms_of_a_recursion_are_refused(name):
    model = tinynets.create_model(name, **({"channels": 8} if name == "ecnet_cifar10" else {"width": 0.25}))
    steps = (model.block.contract_norm if name == "ecnet_cifar10" else model.stages[0].norm).steps
    steps[0] = nn.GroupNorm(1, steps[0].num_features)
    with pytest.raises(ValueError, match="cannot fuse GroupNorm: only BatchNorm2d and FrozenBatchNorm2d"):
        tinynets.fuse(model)

"""Hooks, pruning, parametrizations and replaced modules, in plain and fused nets."""

import copy
import itertools

import pytest
import torch
from support import EGRR_ARGS, randomised
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import tinynets
from tinynets.layers import GatedDilatedConv2d, SymmetricConv1x1

SMALL = {"ecnet_cifar10": {"channels": 16}, "egrr_cifar100": EGRR_ARGS}
WEIGHTS = {nn.Conv2d: "weight", nn.Linear: "weight", GatedDilatedConv2d: "weight", SymmetricConv1x1: "packed"}


def build(name, seed=0):
    torch.manual_seed(seed)
    return randomised(tinynets.create_model(name, num_classes=7, **SMALL.get(name, {"width": 0.5})), seed)


@pytest.fixture(params=tinynets.list_models())
def name(request):
    return request.param


def images(model, count=3):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, *model.pretrained_cfg["input_size"], generator=generator)


def observed(model, x):
    """What hooks on every module kept, with a copy made at once: [(name, output, copy)]."""
    kept = []

    def keep(name, output):
        if isinstance(output, torch.Tensor):
            kept.append((name, output, output.detach().clone()))

    handles = [
        module.register_forward_hook(lambda _, __, output, name=name: keep(name, output))
        for name, module in model.named_modules()
    ]
    logits = model(x)
    for handle in handles:
        handle.remove()
    return logits, kept


def owners(model):
    """The modules that have parameters of their own."""
    lists = (nn.ParameterList,)  # no layers: the module that holds one is called
    return {
        name
        for name, module in model.named_modules()
        if not isinstance(module, lists) and next(module.parameters(recurse=False), None) is not None
    }


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("form", ["plain", "trained", "fused", "portable"])
def test_every_module_with_parameters_is_called_and_nothing_kept_is_overwritten(name, form, grad):
    from tinynets.deploy.inference import portable

    model = build(name)
    if form in ("fused", "portable"):
        model = {"fused": tinynets.fuse, "portable": portable}[form](model)
    x = images(model).to(memory_format=torch.channels_last)
    model.train(form == "trained")
    state = copy.deepcopy(model.state_dict())
    with torch.set_grad_enabled(grad):
        torch.manual_seed(0)
        logits, kept = observed(model, x)
        model.load_state_dict(state)  # without the statistics of this call
        torch.manual_seed(0)
        torch.testing.assert_close(logits, model(x), rtol=1e-4, atol=1e-4)
    parameters = owners(model) - {
        name for name, module in model.named_modules() if isinstance(module, nn.ParameterList)
    }
    assert parameters <= {name for name, _, _ in kept}
    assert [name for name, output, copy in kept if not torch.equal(output, copy)] == []


def test_what_hooks_keep_is_the_same_in_the_fused_net(name):
    model = build(name)
    fused = tinynets.fuse(model)
    x = images(model)
    with torch.inference_mode():
        plain, folded = (
            {key: list(group) for key, group in itertools.groupby(sorted(kept, key=lambda k: k[0]), lambda k: k[0])}
            for _, kept in (observed(model, x), observed(fused, x))
        )
    same = {key for key in plain.keys() & folded.keys() if not key.endswith(("conv", "conv_pw"))}  # norms are in these
    assert {"", "stem"} <= same
    assert len(same) > 0.2 * len(folded)
    for key in same:
        for (_, expected, _), (_, output, _) in zip(plain[key], folded[key], strict=True):
            assert (output - expected).abs().max() <= 1e-4 * expected.abs().max().clamp_min(1e-3), key


def test_hooks_see_whole_batches_in_fused_nets(monkeypatch):
    monkeypatch.setattr(tinynets.ops._dispatch, "CHUNK", 1)
    monkeypatch.setattr(tinynets.ops._dispatch.chunks, "__defaults__", (1,))
    fused = tinynets.fuse(build("egrr_cifar100"))
    with torch.inference_mode():
        expected = fused(images(fused))
        logits, kept = observed(fused, images(fused))
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert {len(output) for _, output, _ in kept} == {3}


def change(model, how):
    """Change every weight of the model in place of what it was; reloading needs the same change."""
    for module in list(model.modules()):
        for kind, weight in WEIGHTS.items():
            if isinstance(module, kind):
                how(module, weight)
    return model


class Halved(nn.Module):
    def forward(self, weight):
        return weight * 0.5


def weight_norm(module, name):
    if name == "weight":
        parametrizations.weight_norm(module, name)


CHANGES = {
    "pruned": lambda module, name: prune.l1_unstructured(module, name, 0.3),
    "parametrized": lambda module, name: parametrize.register_parametrization(module, name, Halved()),
    "weight_norm": weight_norm,
}


class Adapted(nn.Module):
    """As LoRA does it: the layer, and something learned beside it. It takes what a convolution takes."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return self.layer(x) * (1 + self.gain)


class Rounded(nn.Conv2d):
    """As quantization does it: another convolution with the same weights, rounded in its own forward."""

    @classmethod
    def of(cls, conv):
        args = (conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.dilation)
        made = cls(*args, conv.groups, conv.bias is not None)
        made.load_state_dict(conv.state_dict())
        return made

    def forward(self, input):
        step = self.weight.abs().amax() / 3
        rounded = (self.weight / step).round() * step
        return self._conv_forward(input, self.weight + (rounded - self.weight).detach(), self.bias)


def swap(model, made):
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Conv2d):
            model.set_submodule(name, made(module))
    return model


VARIANTS = {kind: lambda model, how=how: change(model, how) for kind, how in CHANGES.items()}
VARIANTS |= {"adapted": lambda model: swap(model, Adapted), "rounded": lambda model: swap(model, Rounded.of)}


@pytest.fixture(params=VARIANTS)
def variant(request):
    return VARIANTS[request.param]


def test_changed_nets_reload_train_and_fuse(name, variant):
    plain = build(name)
    x = images(plain)
    model, again = variant(build(name)).eval(), variant(build(name, seed=1)).eval()
    again.load_state_dict(model.state_dict())
    with torch.no_grad():
        expected = model(x)
        torch.testing.assert_close(again(x), expected, rtol=1e-5, atol=1e-5)
        scale = expected.abs().max()
        if variant is not VARIANTS["weight_norm"]:
            assert (expected - plain(x)).abs().max() > 1e-3 * scale
        assert (tinynets.fuse(again)(x) - expected).abs().max() < 1e-4 * scale

    model.train()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        optimizer.step()
    with torch.no_grad():
        trained = model.eval()(x)
        assert (trained - expected).abs().max() > 0
        assert (tinynets.fuse(model)(x) - trained).abs().max() < 1e-4 * trained.abs().max()
    again.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(again(x), trained, rtol=1e-5, atol=1e-5)


def test_a_replaced_tied_convolution_is_dilated():
    model, other = build("ecnet_cifar10"), build("ecnet_cifar10")
    other.block.depthwise = nn.Sequential(other.block.depthwise)
    for size in (32, 31, 9):
        x = torch.randn(2, 3, size, size)
        with torch.no_grad():
            torch.testing.assert_close(other(x), model(x), rtol=1e-4, atol=1e-4)


def test_fuse_keeps_hooked_modules():
    model = build("optimized200k_cifar10")
    seen = []
    model.stem.conv.register_forward_hook(lambda *_: seen.append("conv"))
    model.stages[0].register_forward_hook(lambda *_: seen.append("stage"))
    fused, x = tinynets.fuse(model), images(model)
    with torch.no_grad():
        torch.testing.assert_close(fused(x), model(x), rtol=1e-4, atol=1e-4)
    assert seen == ["conv", "stage"] * 2


@pytest.mark.parametrize("name", ["egrr_cifar100", "ecnet_cifar10"])
@pytest.mark.parametrize("change", ["another activation", "a hook"])
def test_fuse_keeps_the_activation_of_a_block(name, change):
    model, seen = build(name), []
    for module in model.modules():
        if type(module).__name__ in ("EGRRStage", "ECBlock"):
            if change == "a hook":
                module.act.register_forward_hook(lambda *_: seen.append("act"))
            else:
                module.act = nn.SiLU()
    fused, x = tinynets.fuse(model), images(model)
    with torch.no_grad():
        expected = model(x)
        count = len(seen)
        torch.testing.assert_close(fused(x), expected, rtol=1e-4, atol=1e-4)
    assert len(seen) == 2 * count
    assert (count > 0) == (change == "a hook")

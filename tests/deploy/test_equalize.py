import pytest
import torch
from support import randomised

import tinynets
from tinynets.deploy.equalize import equalized
from tinynets.deploy.exporter import spec_of
from tinynets.deploy.images import synthetic_images
from tinynets.deploy.inference.ecnet import EqualizedECBlock

IMAGES = synthetic_images(70, (3, 32, 32))  # more than one batch


@pytest.fixture(params=[False, True], ids=["normalized", "pixels"])
def source(request):
    model = randomised(tinynets.create_model("ecnet_cifar10", channels=8, iterations=3))
    with torch.no_grad():  # channels of very different ranges, and one that is always zero
        model.block.depthwise.weight *= torch.logspace(-1, 0.5, 32).view(-1, 1, 1, 1)
        model.block.depthwise.bias *= torch.logspace(-1, 0.5, 32)
        model.block.expand_norm.steps[0].weight[5] = 0
        model.block.expand_norm.steps[0].bias[5] = -1
    return spec_of("net", model.eval(), pixels=request.param)


def maps(block, x, step):
    """Activations after ReLU and after the depthwise convolution of an equalized block."""
    hidden = torch.relu(torch.nn.functional.conv2d(x, block.expand[step], block.expand_bias[step]))
    return hidden, torch.nn.functional.conv2d(
        hidden, block.depthwise[step], block.depthwise_bias[step], 1, block.dilations[step], block.dilations[step], 32
    )


def test_is_the_same_function_with_equal_ranges(source):
    inputs = source.inputs(IMAGES)
    made = equalized(source, inputs.numpy())
    seen = {}
    block = made.model.block
    assert isinstance(block, EqualizedECBlock)
    block.register_forward_pre_hook(lambda module, args: seen.update({args[1]: args[0]}))
    with torch.no_grad():
        expected, got = source.network()(inputs), made.network()(inputs)
    assert (expected - got).abs().max() < 1e-4 * expected.abs().max()
    for step, x in seen.items():
        for each in maps(block, x, step):
            top = each.detach().abs().amax((0, 2, 3))
            assert top.max() < 1.01
            assert (top > 0.99).float().mean() > 0.9
    assert all(parameter.isfinite().all() for parameter in block.parameters())


def test_the_model_is_unchanged(source):
    before = {name: value.clone() for name, value in source.model.state_dict().items()}
    equalized(source, source.inputs(IMAGES).numpy())
    after = source.model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_replaced_depthwise_convolution_is_kept():
    """The replacement may compute anything, so its weight does not determine the ranges."""
    model = randomised(tinynets.create_model("ecnet_cifar10", channels=8, iterations=3)).eval()
    convolution = torch.nn.Conv2d(32, 32, 3, padding=1, groups=32)
    model.block.depthwise = torch.nn.Sequential(convolution, torch.nn.Tanh())
    source = spec_of("net", model)
    assert equalized(source, source.inputs(IMAGES).numpy()) is source


def test_other_models_are_unchanged():
    source = spec_of("net", tinynets.create_model("c1c2c3c4o_cifar10", width=0.25))
    assert equalized(source, source.inputs(IMAGES).numpy()) is source

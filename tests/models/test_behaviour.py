"""What the families do beyond timm's interface."""

import pytest
import torch
from support import randomised

import tinynets


def test_logits_do_not_depend_on_the_batch(name):
    model = randomised(tinynets.create_model(name))
    x = torch.randn(4, *model.pretrained_cfg["input_size"])
    together, alone = model(x), torch.cat([model(image.unsqueeze(0)) for image in x])
    assert (together - alone).abs().max() < 1e-5 * max(together.abs().max(), 1)


def test_other_input_sizes(name):
    if name == "simplecnn_mnist":
        model = tinynets.create_model(name, img_size=(9, 33))
        assert model.eval()(torch.randn(2, 1, 9, 33)).shape == (2, 10)
        return
    model = tinynets.create_model(name).eval()
    for size in [(8, 8), (33, 47)]:
        assert model(torch.randn(1, 3, *size)).isfinite().all()


def small_egrr(**kwargs):
    return tinynets.create_model("egrr_cifar100", channels=(12, 24), num_steps=(3, 2), strides=(1, 2), **kwargs)


def test_egrr_warm_up_shortens_training_but_not_evaluation():
    model, x = small_egrr(), torch.randn(2, 3, 8, 8)
    model.set_active_steps(1)
    model.train()(x).sum().backward()
    assert [step.weight.grad is not None for step in model.stages[0].norm.steps] == [True, False, False]
    before = model.eval()(x)
    model.set_active_steps(None)
    assert torch.equal(model(x), before)
    model.zero_grad()
    model.train()(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.set_active_steps(2)
    assert [stage.active_steps for stage in model.stages] == [2, 2]
    model.set_active_steps(3)
    assert model.train()(x).isfinite().all()  # the second stage has two steps only
    with pytest.raises(ValueError, match="steps must be an integer of at least 1"):
        model.set_active_steps(0)


def test_egrr_step_is_the_published_one():
    model = small_egrr()
    stage = randomised(model).stages[1]
    x = torch.randn(2, 12, 8, 8)
    expected = stage.down(x)
    assert expected.shape == (2, 24, 4, 4)
    for step in range(2):
        y = stage.conv(stage.mix(expected), stage.gate(expected))
        expected = expected + torch.nn.functional.relu6(stage.norm.steps[step](y))
    torch.testing.assert_close(stage(x), expected)


def test_egrr_starts_near_an_even_guess():
    model = tinynets.create_model("egrr_cifar100").train()
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(model(torch.randn(32, 3, 32, 32)), torch.arange(32))
    assert loss < 5.5  # ln(100) = 4.6; with norms that start at 1 it is above 7
    assert [stage.norm.steps[0].weight[0].item() for stage in model.stages[:2]] == pytest.approx([1 / 3, 1 / 4])


def test_egrr_tau_and_hard_gates():
    model = small_egrr(hard=True)
    model.set_tau(0.25)
    assert [float(stage.gate.tau) for stage in model.stages] == [0.25, 0.25]
    assert all(stage.gate.hard for stage in model.stages)
    assert model.state_dict()["stages.0.gate.tau"] == 0.25
    with pytest.raises(ValueError, match="tau must be positive"):
        model.set_tau(0.0)


def test_ecnet_goes_through_its_schedule():
    model = tinynets.create_model("ecnet_cifar10", channels=8, iterations=4).eval()
    seen = []
    model.block.register_forward_pre_hook(lambda _, args: seen.append((args[1], args[0].shape[-1])))
    model(torch.randn(1, 3, 16, 16))
    assert seen == [(0, 8), (1, 8), (2, 4), (3, 4)]


def test_ecnet_starts_with_small_residuals():
    model = tinynets.create_model("ecnet_cifar10", channels=8, iterations=4)
    assert all((step.weight == 0.25).all() for step in model.block.contract_norm.steps)
    assert all((step.weight == 1).all() for step in model.block.expand_norm.steps)


def test_ecnet_dilates_by_iteration():
    model = tinynets.create_model("ecnet_cifar10", channels=4, iterations=2, dilations=(1, 5)).eval()
    x = torch.randn(1, 4, 15, 15, requires_grad=True)
    model.block.divisive = torch.nn.Identity()
    model.block(x, 1)[0, :, 7, 7].sum().backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    assert rows == [2, 7, 12]


def test_optimized200k_adds_the_shortcut_before_the_activation():
    model = randomised(tinynets.create_model("optimized200k_cifar10", width=0.25))
    for block in (model.stages[0][1], model.stages[1][0]):  # with and without an identity as shortcut
        x = torch.randn(2, block.conv1.conv_dw.in_channels, 8, 8)
        expected = torch.relu(block.conv2(block.conv1(x)) + block.shortcut(x))
        torch.testing.assert_close(block(x), expected)


def test_simplecnn_scales_its_shortcuts():
    model = tinynets.create_model("simplecnn_mnist").eval()
    blocks = [module for module in model.modules() if hasattr(module, "branch")]
    assert [block.scale for block in blocks] == [2.5, 2.0]
    for block in blocks:
        conv = next(module for module in block.modules() if isinstance(module, torch.nn.Conv2d))
        x = torch.randn(2, conv.in_channels, 6, 6)
        torch.testing.assert_close(block(x), block.branch(x) + block.scale * x)


def test_simplecnn_batch_stats_is_the_published_models_behavior():
    model = tinynets.create_model("simplecnn_mnist", batch_stats=True).eval()
    assert tinynets.count_parameters(model) == 21_614
    assert not any("running" in key for key in model.state_dict())
    x = torch.randn(8, 1, 28, 28)
    assert (model(x)[:1] - model(x[:2])[:1]).abs().max() > 1e-3

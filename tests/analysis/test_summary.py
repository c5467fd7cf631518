import json

import pytest
import timm
import torch
from torch import nn

import tinynets


def test_c1c2c3c4o_matches_the_published_counts():
    result = tinynets.summary(tinynets.create_model("c1c2c3c4o_cifar10"))
    assert result.params == 84_322
    assert result.macs == 13_728_256
    assert result.input_size == (3, 32, 32)


def test_layers_and_blocks_add_up(name):
    model = tinynets.create_model(name)
    result = tinynets.summary(model)
    assert result.params == tinynets.count_parameters(model)
    assert sum(layer.params for layer in result.layers) == result.params
    assert sum(layer.macs for layer in result.layers) == result.macs
    assert sum(block["params"] for block in result.blocks.values()) == result.params
    assert sum(block["macs"] for block in result.blocks.values()) == result.macs
    assert len({layer.name for layer in result.layers}) == len(result.layers)


def test_multiply_adds_by_hand():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, groups=1), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(32, 5)
    )
    result = tinynets.summary(model, (3, 4, 4))
    assert [(row.output_shape, row.params, row.macs) for row in result.layers] == [
        ((8, 4, 4), 224, 3 * 8 * 9 * 16),
        ((8, 2, 2), 80, 8 * 9 * 4),
        ((32,), 0, 0),
        ((5,), 165, 160),
    ]


def test_shared_layers_count_parameters_once_and_macs_per_call():
    shared = nn.Conv2d(4, 4, 1, bias=False)
    result = tinynets.summary(nn.Sequential(shared, shared, shared), (4, 2, 2))
    (row,) = result.layers
    assert (row.params, row.macs, row.calls) == (16, 3 * 16 * 4, 3)


def test_text_and_dict_agree():
    result = tinynets.summary(tinynets.create_model("simplecnn_mnist"))
    assert "21,614 parameters" in str(result)
    assert "head.hidden.0" in str(result)
    assert "8x14x14" in str(result)
    again = json.loads(json.dumps(result.to_dict()))
    assert again["params"] == 21_614
    assert [layer["name"] for layer in again["layers"]] == [layer.name for layer in result.layers]
    assert list(again["blocks"]) == ["stem", "stages.0", "stages.1", "head"]


def test_model_is_unchanged():
    model = tinynets.create_model("ecnet_cifar10").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tinynets.summary(model)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("name", "args", "size"),
    [
        ("egrr_cifar100", {"in_chans": 1}, (1, 32, 32)),
        ("simplecnn_mnist", {"img_size": (12, 8), "in_chans": 3}, (3, 12, 8)),
    ],
)
def test_default_input_is_what_the_model_was_built_for(name, args, size):
    assert tinynets.summary(tinynets.create_model(name, **args)).input_size == size


def test_third_party_models_and_missing_sizes():
    assert tinynets.summary(timm.create_model("test_efficientnet")).params > 0
    with pytest.raises(ValueError, match=r"pass input_size=\(C, H, W\)"):
        tinynets.summary(nn.Conv2d(3, 4, 3))
    with pytest.raises(ValueError, match=r"must be \(C, H, W\)"):
        tinynets.summary(nn.Conv2d(3, 4, 3), (32, 32))


def test_count_parameters_can_leave_out_frozen_ones():
    model = tinynets.create_model("simplecnn_mnist")
    model.stem.requires_grad_(False)
    assert tinynets.count_parameters(model) == 21_614
    assert tinynets.count_parameters(model, trainable=True) == 21_614 - 824

"""timm's instance surface, for every model."""

import pytest
import timm
import torch
from PIL import Image
from support import EGRR_ARGS
from torch import nn

import tinynets
from tinynets.models.base import StagedClassifier

STRIDES = {
    "c1c2c3c4o_cifar10": [2, 4, 8, 8],
    "ecnet_cifar10": [2, 4],
    "egrr_cifar100": [1, 2, 4, 8],
    "mote_100k": [1, 2, 4],
    "optimized200k_cifar10": [1, 2, 4, 8],
    "simplecnn_mnist": [2, 4],
}


@pytest.fixture
def model(name) -> StagedClassifier:
    return tinynets.create_model(name).eval()


@pytest.fixture
def x(model):
    return torch.randn(2, *model.pretrained_cfg["input_size"])


def test_timm_knows_the_names(name):
    assert timm.is_model(name)
    assert type(timm.create_model(name)) is type(tinynets.create_model(name))


def test_forward_is_features_then_head(model, x):
    features = model.forward_features(x)
    assert features.shape[1] == model.num_features
    assert torch.equal(model.forward_head(features), model(x))
    pre_logits = model.forward_head(features, pre_logits=True)
    assert pre_logits.shape == (2, model.head_hidden_size)
    assert torch.equal(model.get_classifier()(pre_logits), model(x))


@pytest.mark.parametrize("architecture", tinynets.list_models())
def test_pool_size_is_the_last_maps(architecture):
    """What timm's test-time pooling takes from the configuration."""
    model = tinynets.create_model(architecture).eval()
    config = model.pretrained_cfg
    with torch.no_grad():
        features = model.forward_features(torch.zeros(1, *config["input_size"]))
    assert tuple(features.shape[2:]) == config["pool_size"]


def test_every_parameter_gets_a_gradient(model, x):
    model.train()(x).square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_features_only(name, x):
    features = tinynets.create_model(name, features_only=True).eval()
    out = features(x)
    assert features.feature_info.reduction() == STRIDES[name]
    assert [f.shape[1] for f in out] == features.feature_info.channels()
    assert [x.shape[-1] // f.shape[-1] for f in out] == STRIDES[name]
    last = tinynets.create_model(name, features_only=True, out_indices=(-1,)).eval()
    assert last(x)[0].shape == out[-1].shape


def test_forward_intermediates(model, x):
    final, every = model.forward_intermediates(x)
    assert len(every) == len(model.feature_info)
    assert torch.equal(final, model.forward_features(x))
    assert torch.equal(every[-1], final)
    for info, feature in zip(model.feature_info, every, strict=True):
        assert feature.shape == (2, info["num_chs"], *(-(-side // info["reduction"]) for side in x.shape[2:]))
    (first,) = model.forward_intermediates(x, indices=[0], stop_early=True, intermediates_only=True)
    assert torch.equal(first, every[0])
    with pytest.raises(ValueError, match="output_fmt must be 'NCHW'"):
        model.forward_intermediates(x, output_fmt="NLC")


def test_intermediates_are_not_overwritten_later(model, x):
    """An in-place activation behind a stage must not change what was handed out."""
    (early,) = model.forward_intermediates(x, indices=[0], stop_early=True, intermediates_only=True)
    assert torch.equal(model.forward_intermediates(x, intermediates_only=True)[0], early)


def test_prune_intermediate_layers(model, x):
    (first,) = model.forward_intermediates(x, indices=[0], intermediates_only=True)
    before = tinynets.count_parameters(model)
    assert model.prune_intermediate_layers([0]) == [0]
    assert torch.equal(model(x), first)
    assert tinynets.count_parameters(model) < before
    assert model.num_classes == 0
    assert model.num_features == first.shape[1]
    model.train()(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_reset_classifier(model, x):
    features = model.forward_features(x)
    pooled = model.forward_head(features, pre_logits=True)
    model.reset_classifier(0)
    assert torch.equal(model(x), pooled)
    model.reset_classifier(7)
    assert model(x).shape == (2, 7)
    assert model.num_classes == 7
    model.reset_classifier(0, "")
    assert torch.equal(model(x), features)
    assert not list(model.head.parameters())
    model.reset_classifier(3, "avgmax")
    assert model(x).shape == (2, 3)
    model.reset_classifier(4, "catavgmax")
    assert model(x).shape == (2, 4)
    assert not model.get_classifier().training
    with pytest.raises(ValueError, match="allows num_classes=0 only"):
        model.reset_classifier(4, "")


def test_a_new_classifier_keeps_simplecnns_hidden_layer():
    model = tinynets.create_model("simplecnn_mnist").eval()
    x = torch.randn(2, 1, 28, 28)
    hidden = model.forward_head(model.forward_features(x), pre_logits=True)
    model.reset_classifier(4)
    assert torch.equal(model.forward_head(model.forward_features(x), pre_logits=True), hidden)


def test_reset_classifier_keeps_the_type():
    model = tinynets.create_model("simplecnn_mnist", dtype=torch.float64)
    model.reset_classifier(5, "avg")
    assert model(torch.randn(2, 1, 28, 28, dtype=torch.float64)).shape == (2, 5)


@pytest.mark.parametrize("in_chans", [1, 4])
def test_other_channels_and_classes(name, in_chans):
    model = tinynets.create_model(name, in_chans=in_chans, num_classes=7, drop_rate=0.1)
    size = model.pretrained_cfg["input_size"][1:]
    assert model(torch.randn(2, in_chans, *size)).shape == (2, 7)
    assert model.in_chans == in_chans
    assert tinynets.create_model(name, num_classes=0)(torch.randn(2, *model.pretrained_cfg["input_size"])).ndim == 2


def test_checkpointing_changes_nothing_but_memory(name):
    results = []
    for enable in (False, True):
        torch.manual_seed(0)
        model = tinynets.create_model(name, **(EGRR_ARGS if name == "egrr_cifar100" else {})).train()
        model.set_grad_checkpointing(enable)
        x = torch.randn(2, *model.pretrained_cfg["input_size"])
        torch.manual_seed(1)
        model(x).square().sum().backward()
        results.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(results[1], results[0])


def test_device_and_dtype_reach_every_tensor(name):
    meta = tinynets.create_model(name, device="meta")
    assert all(t.is_meta for t in (*meta.parameters(), *meta.buffers()))
    double = tinynets.create_model(name, dtype=torch.float64)
    assert all(t.dtype == torch.float64 for t in (*double.parameters(), *double.buffers()) if t.is_floating_point())
    x = torch.randn(2, *double.pretrained_cfg["input_size"], dtype=torch.float64)
    assert double(x).dtype == torch.float64


def test_bfloat16_and_autocast(model, x):
    expected = model(x)
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = model(x)
    converted = model.bfloat16()(x.bfloat16())
    for out in (under_autocast, converted):
        assert (out.float() - expected).norm() < 0.1 * expected.norm()


def test_group_matcher_covers_every_parameter(model):
    for coarse in (False, True):
        groups = timm.models.group_parameters(model, model.group_matcher(coarse=coarse))
        grouped = [name for names in groups.values() for name in names]
        assert sorted(grouped) == sorted(name for name, _ in model.named_parameters())
        assert len(groups) > 2


def test_weight_decay_spares_norms_and_biases_but_not_packed_matrices(model):
    decayed, spared = [], []
    for group in timm.optim.create_optimizer_v2(model, "sgd", lr=0.1, weight_decay=0.1).param_groups:
        (decayed if group["weight_decay"] else spared).extend(id(p) for p in group["params"])
    for name, parameter in model.named_parameters():
        assert (id(parameter) in decayed) == (parameter.ndim > 1), name
    assert model.no_weight_decay() == set()  # timm's rule, nothing of one dimension, needs no exceptions


def test_data_config(model):
    config = timm.data.resolve_data_config(model=model)
    assert config["input_size"] == model.pretrained_cfg["input_size"]
    assert len(config["mean"]) == len(config["std"]) == model.in_chans
    channels, *size = config["input_size"]
    pixels = torch.linspace(0, 255, channels * size[0] * size[1]).byte().reshape(*size, channels)
    image = Image.fromarray(pixels.squeeze(-1).numpy())
    out = timm.data.create_transform(**config)(image)
    mean, std = (torch.tensor(config[key]).reshape(-1, 1, 1) for key in ("mean", "std"))
    torch.testing.assert_close(out, (pixels.permute(2, 0, 1) / 255 - mean) / std)


def test_the_first_convolution_is_named_and_adapts(name):
    """timm's cfg names it; a model without weights of its own is given some."""
    first = tinynets.create_model(name).pretrained_cfg["first_conv"]
    for in_chans in (1, 2, 3, 4):
        model = tinynets.create_model(name, in_chans=in_chans)
        assert model.get_submodule(first).in_channels == in_chans


def test_a_model_without_pooling_gets_it_back_with_a_classifier(model, x):
    expected = model(x).shape
    model.reset_classifier(0, "")
    pool = type(model)().head.global_pool.pool_type
    model.reset_classifier(expected[1])
    assert model(x).shape == expected
    assert model.head.global_pool.pool_type == pool


def test_sync_batch_norm_conversion_keeps_the_function(model, x):
    expected = model(x)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert any(isinstance(m, nn.SyncBatchNorm) for m in converted.modules())
    for module in converted.modules():
        if isinstance(module, nn.SyncBatchNorm):
            module.forward = lambda y, bn=module: nn.functional.batch_norm(
                y, bn.running_mean, bn.running_var, bn.weight, bn.bias, eps=bn.eps
            )
    torch.testing.assert_close(converted(x), expected)

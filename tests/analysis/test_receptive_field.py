import math

import pytest
import timm
import torch
from torch import nn

import tinynets


def footprint(model, size, count):
    """Sides of the box of image pixels that the gradient of one central element of the feature map reaches.

    Weights are made small and positive, so that no path is cut by an activation, saturates or cancels; a max pooling
    passes one of its pixels on, so several images are needed to see all.
    """
    model = model.double().eval()
    for parameter in model.parameters():
        parameter.data.abs_().clamp_(1e-3, 0.05)
    images = torch.rand(count, model.in_chans, size, size, dtype=torch.float64).requires_grad_()
    features = model.forward_features(images)
    features[:, :, features.shape[2] // 2, features.shape[3] // 2].sum().backward()
    touched = images.grad.abs().sum((0, 1)) > 0
    rows, columns = touched.any(1).nonzero().flatten(), touched.any(0).nonzero().flatten()
    assert rows[0] > 0
    assert rows[-1] < size - 1
    return int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1


@pytest.mark.parametrize(
    ("name", "model_args", "published", "size"),
    [
        ("c1c2c3c4o_cifar10", {}, 55, 128),
        ("optimized200k_cifar10", {}, 109, 256),
        ("ecnet_cifar10", {"channels": 4}, None, 160),
        ("ecnet_cifar10", {"channels": 4, "iterations": 3, "dilations": (4, 1)}, None, 160),
        ("egrr_cifar100", {"channels": (6, 8), "num_steps": (2, 2), "strides": (1, 2)}, None, 160),
        ("simplecnn_mnist", {"img_size": 64}, None, 64),
    ],
)
def test_is_the_footprint_of_the_gradient(name, model_args, published, size):
    model = tinynets.create_model(name, **model_args)
    tally = tinynets.receptive_field(model)
    assert footprint(model, size, 20 if name == "simplecnn_mnist" else 1) == (tally.size, tally.size)
    if published:
        assert tally.size == published


def test_layer_by_layer_for_c1c2c3c4o():
    rows = tinynets.receptive_field(tinynets.create_model("c1c2c3c4o_cifar10")).rows
    spatial = [(row.receptive_field, row.jump) for row in rows if row.kernel > 1]
    assert spatial == [(3, 1), (5, 1), (7, 2), (11, 2), (15, 4), (23, 8), (55, 8)]
    assert rows[-2].layer == "stages.3.0.conv_pw"


def test_text_and_dict():
    field = tinynets.receptive_field(tinynets.create_model("optimized200k_cifar10"))
    assert "stages.3.1.conv2.conv_dw" in str(field)
    assert field.to_dict()["size"] == 109
    assert field.to_dict()["jump"] == 8


def test_third_party_models():
    assert tinynets.receptive_field(timm.create_model("resnet18")).size == 435  # Araujo et al., 2019, count 435 too
    with_squeeze_excitation = timm.create_model("mobilenetv3_small_050")
    assert tinynets.receptive_field(with_squeeze_excitation).size == math.inf
    plain = nn.Sequential(nn.Conv2d(3, 4, 5), nn.MaxPool2d(3, 2), nn.Conv2d(4, 4, 3, padding="same"))
    assert tinynets.receptive_field(plain).size == 5 + 2 + 4


def test_functional_windows_count():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            x = nn.functional.max_pool2d(self.conv(x), 3, stride=2)
            return nn.functional.avg_pool2d(x, 2)

    tally = tinynets.receptive_field(Functional())
    assert (tally.size, tally.jump) == (3 + 2 + 2, 4)


def test_unsupported_layers_are_refused():
    for layer in (nn.ConvTranspose2d(3, 4, 3), nn.Upsample(scale_factor=2)):
        with pytest.raises(ValueError, match="is not a sliding window"):
            tinynets.receptive_field(nn.Sequential(layer))
    with pytest.raises(ValueError, match="windows must be square"):
        tinynets.receptive_field(nn.Conv2d(3, 4, (1, 3)))

    swapped = tinynets.create_model("ecnet_cifar10", channels=4)
    swapped.block.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
    with pytest.raises(ValueError, match=r"block\.depthwise: Conv2d replaces the DilatedDepthwise"):
        tinynets.receptive_field(swapped)

    class Branches(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(RuntimeError, match=r"torch\.fx cannot trace Branches"):
        tinynets.receptive_field(Branches())


def test_mode_is_unchanged():
    model = tinynets.create_model("egrr_cifar100").train()
    model.set_active_steps(1)
    assert tinynets.receptive_field(model).size == 1410  # evaluation runs every step
    assert model.training

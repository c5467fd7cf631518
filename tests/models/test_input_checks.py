import pytest
import torch

import tinynets


@pytest.fixture
def model(name):
    return tinynets.create_model(name).eval()


@pytest.mark.parametrize("method", ["__call__", "forward_features", "forward_intermediates"])
def test_bad_images_are_refused_in_one_line(model, method):
    channels, height, width = model.pretrained_cfg["input_size"]
    cases = [
        (
            torch.zeros(2, channels, height, width, dtype=torch.uint8),
            TypeError,
            r"must be floating point, got torch.uint8",
        ),
        (torch.zeros(channels, height, width), ValueError, r"4 dimensions .* add the batch dimension"),
        (torch.zeros(2, 2, channels, height, width), ValueError, r"must have 4 dimensions"),
        (
            torch.zeros(2, 5, height, width),
            ValueError,
            rf"have 5 channels, the model expects {channels}: create it with in_chans=5",
        ),
    ]
    for images, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            getattr(model, method)(images)
        assert "\n" not in str(caught.value)


def test_images_too_small_for_the_strides(model, name):
    channels = model.in_chans
    if name == "simplecnn_mnist":
        with pytest.raises(ValueError, match=r"images are 32x28, the model expects 28x28: .* img_size=\(32, 28\)"):
            model(torch.zeros(2, channels, 32, 28))
        return
    stride = model.feature_info[-1]["reduction"]
    with pytest.raises(ValueError, match=rf"too small for a model with a total stride of {stride}"):
        model(torch.zeros(2, channels, 32, stride - 1))
    model(torch.zeros(2, channels, stride, stride))


def test_pruned_models_accept_smaller_images():
    model = tinynets.create_model("optimized200k_cifar10", features_only=True, out_indices=(0,), feature_cls="getter")
    assert model.eval()(torch.zeros(1, 3, 4, 4))[0].shape == (1, 20, 4, 4)

import pytest
import torch

import tinynets

COUNTS = {
    "c1c2c3c4o_cifar10": 84_322,
    "ecnet_cifar10": 115_659,
    "egrr_cifar100": 420_212,
    "mote_100k": 99_370,
    "optimized200k_cifar10": 150_690,
    "simplecnn_mnist": 21_614,
}


def test_parameters(name):
    assert tinynets.count_parameters(tinynets.create_model(name)) == COUNTS[name]


@pytest.mark.parametrize("size", [25, 50, 100, 420])
def test_motes_stay_within_the_size_they_are_named_after(size):
    model = tinynets.create_model(f"mote_{size}k")
    limit = 425_000 if size == 420 else 1000 * size
    assert 0.85 * limit < tinynets.count_parameters(model) <= limit
    assert model.num_classes == (100 if size == 420 else 10)


def test_ecnet_ties_one_block():
    base, more = (tinynets.create_model("ecnet_cifar10", iterations=n) for n in (6, 8))
    per_iteration = 2 * (256 + 64)  # the affine pairs of two norms
    assert tinynets.count_parameters(more) - tinynets.count_parameters(base) == 2 * per_iteration
    assert more.block.dilations == [1, 1, 2, 1, 2, 3, 1, 1]


def test_arguments_scale_the_models(name):
    model_args = {"channels": 32, "expansion": 2, "dilations": (1, 3)} if name == "ecnet_cifar10" else {"width": 0.5}
    small = tinynets.create_model(name, **model_args).eval()
    assert tinynets.count_parameters(small) < COUNTS[name] / 2
    assert small(torch.randn(2, *small.pretrained_cfg["input_size"])).shape == (2, small.num_classes)


@pytest.mark.parametrize(
    ("name", "model_args", "message"),
    [
        ("c1c2c3c4o_cifar10", {"width": 0}, "width must be positive"),
        ("ecnet_cifar10", {"iterations": 0}, "iterations must be an integer of at least 1"),
        ("ecnet_cifar10", {"dilations": ()}, "at least one dilation"),
        ("egrr_cifar100", {"num_steps": (1, 2)}, "must have the same length"),
        ("egrr_cifar100", {"num_classes": -1}, "num_classes must be at least 0"),
        ("egrr_cifar100", {"global_pool": ""}, "allows num_classes=0 only"),
        ("mote_100k", {"depths": (2,)}, "must have the same length of at least 1, got 3, 1 and 3"),
        ("mote_100k", {"depths": (1, 0, 1)}, "depth must be an integer of at least 1, got 0"),
        ("mote_100k", {"expansion": 1.5}, "out_chans must be an integer of at least 1"),
        ("mote_100k", {"kernel_sizes": (3, 4, 3)}, "kernel_size must be odd"),
        ("simplecnn_mnist", {"img_size": 3}, "img_size must be at least 4x4"),
        ("simplecnn_mnist", {"global_pool": ""}, "allows num_classes=0 only"),
    ],
)
def test_bad_arguments_are_named(name, model_args, message):
    with pytest.raises(ValueError, match=message):
        tinynets.create_model(name, **model_args)

from pickle import UnpicklingError

import pytest
import timm
import torch

import tinynets
from tinynets.models import full_name
from tinynets.weights import list_weights


def test_list_models():
    assert tinynets.list_models() == [
        "c1c2c3c4o_cifar10",
        "ecnet_cifar10",
        "egrr_cifar100",
        "mote_100k",
        "mote_25k",
        "mote_420k",
        "mote_50k",
        "mote_s2_120k",
        "mote_s2_450k",
        "optimized200k_cifar10",
        "simplecnn_mnist",
    ]
    assert tinynets.list_models(pretrained=True) == list_weights()


@pytest.mark.parametrize("wrong", ["egrr_cifar10", "egrr.cifar100", "EGRR", "resnet18", "", 3])
def test_unknown_names_come_with_the_nearest(wrong):
    with pytest.raises(ValueError, match="unknown model") as caught:
        tinynets.create_model(wrong)
    assert "\n" not in str(caught.value)
    if wrong in ("egrr_cifar10", "egrr.cifar100"):
        assert "did you mean egrr_cifar100" in str(caught.value)


def test_a_path_is_sent_to_load_trained(tmp_path):
    with pytest.raises(ValueError, match=r"it is a path; load .* with tinynets\.engine\.load_trained"):
        tinynets.create_model(str(tmp_path))


@pytest.mark.parametrize("create", [tinynets.create_model, timm.create_model])
def test_missing_weights_are_an_error_and_never_a_random_net(create, unshipped):
    with pytest.raises(ValueError, match=rf"{unshipped} ships no pretrained weights .* pretrained=False"):
        create(unshipped, pretrained=True)


def test_user_weights(tmp_path):
    model = tinynets.create_model("c1c2c3c4o_cifar10")
    torch.save(model.state_dict(), tmp_path / "own.pt")
    again = tinynets.create_model(
        "c1c2c3c4o_cifar10", pretrained=True, pretrained_cfg_overlay={"file": str(tmp_path / "own.pt")}
    )
    assert torch.equal(again.head.fc.weight, model.head.fc.weight)


def test_checkpoint_path(tmp_path):
    model = tinynets.create_model("c1c2c3c4o_cifar10", width=0.25)
    path = tmp_path / "own.pt"
    torch.save(model.state_dict(), path)
    again = tinynets.create_model("c1c2c3c4o_cifar10", width=0.25, checkpoint_path=path)
    assert torch.equal(again.head.fc.weight, model.head.fc.weight)
    with pytest.raises(
        ValueError, match=r"does not fit the model: stem\.conv\.weight has shape \(6, 3, 3, 3\), expected"
    ):
        tinynets.create_model("c1c2c3c4o_cifar10", checkpoint_path=path)
    with pytest.raises(ValueError, match="is of another architecture than EGRR"):
        tinynets.create_model("egrr_cifar100", checkpoint_path=path)
    torch.save({"head": print}, path)
    with pytest.raises((RuntimeError, UnpicklingError), match=r"(?i)weights.only"):  # no code in it is executed
        tinynets.create_model("c1c2c3c4o_cifar10", checkpoint_path=path)
    with pytest.raises(FileNotFoundError):
        tinynets.create_model("c1c2c3c4o_cifar10", checkpoint_path=tmp_path / "gone.pt")


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match="iterations"):
        tinynets.create_model("c1c2c3c4o_cifar10", iterations=3)


@pytest.mark.parametrize("create", [tinynets.create_model, timm.create_model])
def test_a_data_set_is_the_tag_of_a_family_with_several(create):
    model = create("mote_420k.cifar100")
    assert (model.num_classes, model.pretrained_cfg["tag"]) == (100, "cifar100")
    assert create("mote_420k").pretrained_cfg["tag"] == "cifar100"
    with pytest.raises(RuntimeError, match=r"Invalid pretrained tag \(mnist\) for mote_420k"):
        create("mote_420k.mnist")


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("mote_100k", "mote_100k.cifar10"),
        ("mote_100k.cifar10", "mote_100k.cifar10"),
        ("simplecnn_mnist", "simplecnn_mnist"),
        ("simplecnn_mnist.v3", "simplecnn_mnist"),
        ("resnet18.a1_in1k", "resnet18"),
    ],
)
def test_full_names(name, full):
    assert full_name(name) == full

"""Initial weights of a run: new, or adapted to its data."""

import dataclasses

import pytest
import timm
import torch
from support import EGRR_ARGS, QUICK
from torch import nn

import tinynets
from tinynets.engine import ImageData, load_checkpoint, override, train
from tinynets.engine.loop import DistributedContext, Run, model_for_data
from tinynets.engine.loop.build import adapt_channels, find_start

ALONE = DistributedContext(0, 1, torch.device("cpu"))
SHORT = override(QUICK, {"schedule.epochs": 1, "schedule.warmup_epochs": 0})


@pytest.fixture
def colors(tiny_data) -> ImageData:
    """The stripes in color, their classes in another order."""
    place = torch.tensor([2, 1, 0])
    return dataclasses.replace(
        tiny_data,
        train_images=tiny_data.train_images.expand(-1, 3, -1, -1),
        test_images=tiny_data.test_images.expand(-1, 3, -1, -1),
        train_labels=place[tiny_data.train_labels],
        test_labels=place[tiny_data.test_labels],
        class_names=tiny_data.class_names[::-1],
        mean=(0.4,) * 3,
        std=(0.2,) * 3,
    )


def test_weights_of_a_run_initialize_another(tiny_data, colors, tmp_path, capsys):
    first = train("c1c2c3c4o_cifar10", tiny_data, override(QUICK, {"schedule.epochs": 6}), tmp_path / "first")
    still = override(SHORT, {"optimizer.lr": 1e-12, "augment.pad": 0, "optimizer.weight_decay": 0.0})
    second = train("c1c2c3c4o_cifar10", colors, still, tmp_path / "second", init=tmp_path / "first/last.safetensors")
    assert second["last"]["test_top1"] == pytest.approx(first["last"]["test_top1"], abs=3)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("starts from")]
    assert "(c1c2c3c4o_cifar10, trained on stripes)" in line
    assert "input adapted from 1 to 3 channels" in line
    assert "new classifier" not in line
    assert "optimizer, schedule and random state are new" in line
    metadata = load_checkpoint(tmp_path / "second/last.safetensors")[1]
    assert metadata.started_from == second["started_from"] == str(tmp_path / "first/last.safetensors")
    assert metadata.mean == pytest.approx((0.3,) * 3)  # that of the weights


def test_pretrained_weights_get_a_new_classifier(tiny_data, tmp_path, capsys):
    train("optimized200k_cifar10", tiny_data, override(SHORT, {"freeze": "backbone"}), tmp_path, pretrained=True)
    ours = load_checkpoint(tmp_path / "last.safetensors")[0].state_dict()
    theirs = tinynets.create_model("optimized200k_cifar10", pretrained=True).state_dict()
    changed = {name for name in ours if not torch.equal(ours[name], theirs[name])}
    assert changed == {"stem.conv.weight", "head.fc.weight", "head.fc.bias"}
    assert torch.equal(ours["stem.conv.weight"], theirs["stem.conv.weight"].sum(1, keepdim=True))
    err = capsys.readouterr().err
    assert "135 of 138 tensors loaded; new classifier for 3 classes; input adapted from 3 to 1 channels" in err


def test_a_new_classifier_starts_at_equal_logits(tiny_data):
    data = tiny_data.changed(None, 3, (32, 32))
    model, _ = model_for_data("c1c2c3c4o_cifar10", data, SHORT, None)
    find_start("c1c2c3c4o_cifar10").load(model, data)
    assert torch.equal(model.eval()(torch.randn(2, 3, 32, 32)), torch.zeros(2, 3))


class NormedHead(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.head = nn.Sequential(nn.BatchNorm1d(64), nn.Linear(64, num_classes))

    def get_classifier(self):
        return self.head

    def forward(self, x):
        return self.head(x.flatten(1))


def test_a_new_classifier_with_a_norm_can_learn(tiny_data):
    start = dataclasses.replace(find_start("simplecnn_mnist"), state=NormedHead(10).state_dict())
    model = NormedHead(3)
    start.load(model, tiny_data)
    logits = model(tiny_data.train_images[:9].float())
    assert torch.equal(logits, torch.zeros(9, 3))
    torch.nn.functional.cross_entropy(logits, tiny_data.train_labels[:9]).backward()
    assert model.head[1].weight.grad.abs().max() > 0


def test_a_model_made_for_one_size_keeps_it(tiny_data, tmp_path):
    summary = train("simplecnn_mnist", tiny_data, SHORT, tmp_path, pretrained=True)
    assert tuple(summary["model_args"]["img_size"]) == (28, 28)
    state, metadata = find_start(tmp_path).state, find_start(tmp_path).metadata
    assert metadata.img_size == (28, 28)
    assert state["head.fc.weight"].shape == (3, 32)
    (tmp_path / "summary.json").unlink()
    again = train("simplecnn_mnist", tiny_data, SHORT, tmp_path, model_args=summary["model_args"], resume=True)
    assert (again["last"], again["started_from"]) == (summary["last"], "simplecnn_mnist")


def test_weights_determine_the_model_arguments(tiny_data, tmp_path):
    train("c1c2c3c4o_cifar10", tiny_data, SHORT, tmp_path / "a", model_args={"width": 0.5})
    summary = train("c1c2c3c4o_cifar10", tiny_data, SHORT, tmp_path / "b", init=tmp_path / "a")
    assert summary["model_args"]["width"] == 0.5


def test_weights_of_another_architecture_are_refused(tiny_data, tmp_path):
    train("c1c2c3c4o_cifar10", tiny_data, SHORT, tmp_path / "a")
    with pytest.raises(ValueError, match="is of another architecture than SimpleCNN"):
        train("simplecnn_mnist", tiny_data, SHORT, tmp_path / "b", init=tmp_path / "a", model_args={"img_size": 8})
    with pytest.raises(ValueError, match="pretrained and init both set the initial weights"):
        train("simplecnn_mnist", tiny_data, SHORT, tmp_path / "b", init=tmp_path / "a", pretrained=True)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(("have", "want"), [(3, 1), (1, 3), (3, 4), (4, 3), (2, 1)])
def test_adapted_channels_keep_the_output(have, want):
    weight, image = torch.randn(5, have, 3, 3), torch.randn(2, 1, 6, 6)
    before = nn.functional.conv2d(image.expand(-1, have, -1, -1), weight)
    weight = torch.randn(5, have, 1, 1).expand(-1, -1, 3, 3) if (have, want) == (3, 4) else weight
    if have % want == 0 or want % have == 0:
        after = nn.functional.conv2d(image.expand(-1, want, -1, -1), adapt_channels(weight, want))
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)
    assert adapt_channels(weight, want).shape == (5, want, 3, 3)


@pytest.mark.parametrize("name", ["egrr_cifar100", "c1c2c3c4o_cifar10", "test_resnet"])
def test_a_frozen_backbone_does_not_move(tiny_data, name):
    """Neither weights nor the norms' statistics; the classifier does."""
    recipe = override(QUICK, {"freeze": "backbone", "ema_decay": 0.5})
    model, _ = model_for_data(name, tiny_data, recipe, EGRR_ARGS if "egrr" in name else None)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    run = Run(model, tiny_data, recipe, ALONE)
    run.train_epoch(lambda: None)
    moved = {key for key, tensor in run.model.state_dict().items() if not torch.equal(tensor, before[key])}
    head = next(key for key, module in model.named_modules() if module is model.get_classifier())
    assert moved == {f"{head}.weight", f"{head}.bias"}
    assert sum(len(group["params"]) for group in run.optimizer.param_groups) == 2


def test_an_unknown_backbone_is_not_frozen(tiny_data):
    recipe = override(QUICK, {"freeze": "backbone"})
    with pytest.raises(ValueError, match=r"freeze=backbone needs a get_classifier\(\) that returns a layer"):
        Run(model_for_data("groupnorm_net", tiny_data, recipe, None)[0], tiny_data, recipe, ALONE)


def test_images_that_a_model_cannot_take_are_refused_before_anything_is_made(tiny_data, tmp_path):
    with pytest.raises(ValueError, match=r"test_vit cannot process the images of stripes, 1x8x8 .*: choose"):
        train("test_vit", tiny_data, SHORT, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_timms_fixed_sizes_follow_the_data(tiny_data):
    data = tiny_data.changed(None, 1, (32, 32))
    model, args = model_for_data("test_vit", data, QUICK, None)
    assert args["img_size"] == (32, 32)
    assert isinstance(model, type(timm.create_model("test_vit")))

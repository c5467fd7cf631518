"""Wrapped models, model configurations, models of every dtype and without parameters, non-finite numbers."""

import json

import pytest
import timm
import torch
from support import QUICK
from timm.data import resolve_data_config
from timm.utils import ModelEmaV3
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import tinynets
from tinynets._files import to_json
from tinynets._modules import unwrapped
from tinynets.deploy import bench, export
from tinynets.engine import (
    Normalize,
    Optimizer,
    evaluate,
    load_checkpoint,
    load_data,
    load_trained,
    override,
    predict,
    save_checkpoint,
    train,
)
from tinynets.engine.evaluation import shift_consistency

WRAPPERS = {
    "compile": lambda net: torch.compile(net, backend="eager"),
    "DataParallel": nn.DataParallel,
    "ema": ModelEmaV3,
    "both": lambda net: nn.DataParallel(torch.compile(net, backend="eager")),
}
PLAIN = Normalize((0.3,), (0.3,))


@pytest.fixture(params=WRAPPERS)
def wrap(request):
    return WRAPPERS[request.param]


def net():
    torch.manual_seed(0)
    return tinynets.create_model("simplecnn_mnist", img_size=8, num_classes=3).eval()


def test_a_distributed_model_is_unwrapped(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        plain = net()
        wrapped = nn.parallel.DistributedDataParallel(plain)
        assert unwrapped(wrapped) is plain
        assert tinynets.count_parameters(wrapped) == tinynets.count_parameters(plain)
    finally:
        torch.distributed.destroy_process_group()


def test_wrappers_are_unwrapped(wrap, tiny_data, tmp_path):
    plain = net()
    wrapped, x = wrap(net()), torch.randn(2, 1, 8, 8)
    assert type(unwrapped(wrapped)) is type(plain)
    assert tinynets.summary(wrapped).to_dict() == tinynets.summary(plain).to_dict()
    assert tinynets.receptive_field(wrapped) == tinynets.receptive_field(plain)
    assert tinynets.count_parameters(wrapped) == tinynets.count_parameters(plain)
    assert torch.equal(tinynets.fuse(wrapped)(x), tinynets.fuse(plain)(x))
    images = tiny_data.test_images
    torch.testing.assert_close(predict(wrapped, images, PLAIN), predict(plain, images, PLAIN))
    result = export(wrapped, "pt2", tmp_path / "net.pt2", mean=(0.3,), std=(0.3,))
    assert result.path.exists()


def test_checkpoints_of_wrapped_models_are_plain(wrap, tiny_data, tmp_path):
    train(wrap(net()), tiny_data, override(QUICK, {"schedule.epochs": 1}), tmp_path / "run")
    plain, metadata = load_checkpoint(tmp_path / "run/last.safetensors", net())
    assert metadata.model.endswith("SimpleCNN")
    save_checkpoint(tmp_path / "again.safetensors", wrap(plain), metadata)
    load_checkpoint(tmp_path / "again.safetensors", wrap(net()))


def test_pruned_models_train(tiny_data, tmp_path):
    from torch.nn.utils import prune

    model = net()
    prune.l1_unstructured(model.stem[0].conv, "weight", 0.3)
    model(torch.randn(1, 1, 8, 8))
    recipe = override(QUICK, {"schedule.epochs": 1, "ema_decay": 0.9})
    train(model, tiny_data, recipe, tmp_path / "run")
    again = net()
    prune.identity(again.stem[0].conv, "weight")
    load_checkpoint(tmp_path / "run/last.safetensors", again)
    assert (again.stem[0].conv.weight_mask == 0).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_every_type_are_evaluated(dtype, tiny_data):
    images, labels = tiny_data.test_images, tiny_data.test_labels
    expected, result = (evaluate(model, images, labels, PLAIN) for model in (net(), net().to(dtype)))
    assert result["loss"] == pytest.approx(expected["loss"], rel=0.02)


class Brightness(nn.Module):
    def forward(self, x):
        return torch.stack([x.mean((1, 2, 3)), -x.mean((1, 2, 3))], 1)


def test_a_model_without_parameters_is_evaluated(tiny_data):
    images, labels = tiny_data.test_images, tiny_data.test_labels.clamp(max=1)
    assert 0 <= evaluate(Brightness(), images, labels, PLAIN)["top1"] <= 100
    assert tinynets.summary(Brightness(), (1, 8, 8)).params == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_logits_have_no_accuracy(value, tiny_data):
    model = net()
    with torch.no_grad():
        model.head.fc.bias[1] = value
    images, labels = tiny_data.test_images, tiny_data.test_labels
    for call in (
        lambda: evaluate(model, images, labels, PLAIN),
        lambda: predict(model, images, PLAIN),
        lambda: shift_consistency(model, images, PLAIN),
    ):
        with pytest.raises(FloatingPointError, match=r"SimpleCNN in torch\.float32 returns non-finite logits"):
            call()


def test_json_has_no_nan():
    assert json.loads(to_json({"a": [float("nan"), (1.5, float("-inf"))]}), parse_constant=pytest.fail) == {
        "a": [None, [1.5, None]]
    }


@pytest.mark.parametrize("name", ["adahessian", "bnbadam8bit", "fusedadam"])
def test_unusable_optimizers_are_refused(name):
    with pytest.raises(ValueError, match=f"unknown optimizer.name '{name}'"):
        Optimizer(name)


def test_torch_counts_every_multiply_add(name):
    model = tinynets.create_model(name)
    x = torch.randn(2, *model.pretrained_cfg["input_size"])
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model.eval()(x)
    assert counter.get_total_flops() == 4 * tinynets.summary(model).macs


def test_torch_counts_the_gated_backward_pass():
    x, weight, gate = torch.randn(2, 4, 9, 9, requires_grad=True), torch.randn(4, 1, 3, 3), torch.rand(2, 3, 9, 9)
    counter = FlopCounterMode(display=False)
    with counter:
        tinynets.ops.gated_dilated_conv2d(x, weight, None, gate, [1, 2, 4]).sum().backward()
    forward, backward = counter.get_flop_counts()["Global"].values()
    assert (forward, backward) == (2 * 9 * 3 * x.numel(), 2 * forward)


def test_a_trained_net_has_a_configuration_of_its_own(tiny_data, tmp_path):
    shared = dict(timm.models.get_pretrained_cfg("c1c2c3c4o_cifar10").to_dict())
    model = tinynets.create_model("c1c2c3c4o_cifar10", num_classes=3, in_chans=1)
    train(model, tiny_data, override(QUICK, {"schedule.epochs": 1}), tmp_path / "own")
    train("c1c2c3c4o_cifar10", tiny_data, override(QUICK, {"schedule.epochs": 1}), tmp_path / "run")
    loaded = load_trained(tmp_path / "run").model
    for each in (model, loaded, tinynets.fuse(loaded)):
        cfg = each.pretrained_cfg
        assert (cfg["num_classes"], cfg["label_names"]) == (3, ["top", "left", "dark"])
        assert not {"file", "url", "hf_hub_id"} & {key for key, value in cfg.items() if value}
        config = resolve_data_config({}, model=each)
        assert (config["input_size"], config["mean"], config["std"]) == ((1, 8, 8), (0.3,), (0.3,))
        assert config["crop_pct"] == 1
    assert timm.models.get_pretrained_cfg("c1c2c3c4o_cifar10").to_dict() == shared


def test_a_new_classifier_has_no_weights_of_others():
    model = tinynets.create_model("c1c2c3c4o_cifar10", pretrained=True)
    model.reset_classifier(5)
    assert model.pretrained_cfg["num_classes"] == 5
    assert "file" not in model.pretrained_cfg
    assert tinynets.create_model("c1c2c3c4o_cifar10").pretrained_cfg["file"]


def test_streams_may_be_missing(monkeypatch, tiny_data, tmp_path):
    monkeypatch.setattr("sys.stderr", None)
    monkeypatch.setattr("sys.stdout", None)
    train(net(), tiny_data, override(QUICK, {"schedule.epochs": 1}), tmp_path / "run")
    export(net(), "pt2", tmp_path / "net.pt2", mean=(0.3,), std=(0.3,))
    bench(net(), runtimes=["eager"], batch_sizes=[1], threads=[1], seconds=0.01)
    evaluate(load_trained(tmp_path / "run", model=net()).model, tiny_data.test_images, tiny_data.test_labels, PLAIN)
    load_data("digits")
    with pytest.raises(RuntimeError, match="could not be downloaded"):
        load_data("cifar10", data_dir=tmp_path)

"""Training steps as configured by the recipe."""

import copy
import dataclasses

import pytest
import torch
from support import EGRR_ARGS, EVERYTHING, QUICK, rows_of
from timm.optim import create_optimizer_v2
from torch import nn

import tinynets
from tinynets.engine import Normalize, Optimizer, Schedule, evaluate, load_checkpoint, override, train
from tinynets.engine.loop import DistributedContext, Run, model_for_data
from tinynets.engine.loop.batch_norm import update_bn
from tinynets.engine.loop.optimizer import create_optimizer
from tinynets.layers import SymmetricConv1x1

ALONE = DistributedContext(0, 1, torch.device("cpu"))
STEADY = override(QUICK, {"optimizer.name": "momentum", "optimizer.lr": 0.05, "schedule.warmup_epochs": 0})


def run_of(data, recipe, name="groupnorm_net", model_args=None):
    return Run(model_for_data(name, data, recipe, model_args)[0], data, recipe, ALONE)


def test_an_epochs_figures_are_means_over_its_images(tiny_data):
    """Without mixing, augmentation and learning they are what evaluation finds."""
    still = override(QUICK, {"optimizer.lr": 1e-12, "optimizer.weight_decay": 0.0, "augment.pad": 0, "batch_size": 24})
    run = run_of(tiny_data, still, "groupnorm_net")
    seen = run.train_epoch(lambda: None)
    result = evaluate(run.model, run.images.train_images, run.images.train_labels, run.normalize)
    assert run.steps == 3
    assert seen["train_loss"] == pytest.approx(result["loss"], rel=1e-5)
    assert seen["train_top1"] == pytest.approx(result["top1"])


def test_gradients_are_clipped(tiny_data):
    free, clipped = (run_of(tiny_data, override(STEADY, {"clip_grad": limit})) for limit in (0.0, 0.01))
    for run in (free, clipped):
        run.train_epoch(lambda: None)
    norms = [torch.stack([p.grad.norm() for p in run.model.parameters()]).norm() for run in (free, clipped)]
    assert norms[0] > 0.02
    assert norms[1] <= 0.0101


def test_norms_and_biases_do_not_decay(tiny_data):
    run = run_of(tiny_data, STEADY, "c1c2c3c4o_cifar10")
    decay = {id(p): g["weight_decay"] for g in run.optimizer.param_groups for p in g["params"]}
    for name, p in run.model.named_parameters():
        assert decay[id(p)] == (0 if p.ndim == 1 else STEADY.optimizer.weight_decay), name


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon", "lion", "nadamw"])
def test_optimizers_learn(tiny_data, tmp_path, optimizer):
    recipe = dataclasses.replace(
        QUICK, optimizer=Optimizer(optimizer, lr=3e-3 if optimizer == "lion" else 0.02), schedule=Schedule(8, 1)
    )
    model, args = ("egrr_cifar100", EGRR_ARGS) if optimizer == "muon" else ("simplecnn_mnist", {})
    train(model, tiny_data, recipe, tmp_path, model_args=args)
    losses = [row["train_loss"] for row in rows_of(tmp_path)]
    assert losses[-1] < 0.5 * losses[0]


def test_muon_steps_along_the_symmetric_matrix():
    """The same steps as Muon's on W itself; the other parameters' are Muon's as ever."""
    packed = nn.Sequential(SymmetricConv1x1(12), nn.Conv2d(12, 6, 1), nn.BatchNorm2d(6))
    full = copy.deepcopy(packed)
    full[0] = nn.Conv2d(12, 12, 1, bias=False)
    w = full[0].weight
    with torch.no_grad():
        w.copy_(packed[0].weight_matrix().view_as(w))
    recipe = Optimizer("muon", lr=0.02, momentum=0.9, weight_decay=0.1)
    optimizers = {net: create_optimizer(net, recipe) for net in (packed, full)}
    before = packed[0].weight_matrix().detach()
    for _ in range(4):
        x = torch.randn(8, 12, 3, 3)
        for net, optimizer in optimizers.items():
            optimizer.zero_grad()
            (net(x) ** 3).mean().backward()
        w.grad = (w.grad + w.grad.transpose(0, 1)) / 2  # of a symmetric matrix
        for optimizer in optimizers.values():
            optimizer.step()
    after = packed[0].weight_matrix().detach()
    assert (after - before).abs().max() > 0.01
    torch.testing.assert_close(after, w.detach().flatten(1), rtol=0, atol=5e-4)
    torch.testing.assert_close(packed[1].weight, full[1].weight, rtol=0, atol=5e-4)
    assert all(p.grad is not None for p in packed.parameters())


def test_muon_on_symmetric_matrices_resumes(tiny_data):
    recipe = override(STEADY, {"optimizer.name": "muon", "optimizer.lr": 0.01})
    whole, half = (run_of(tiny_data, recipe, "egrr_cifar100", EGRR_ARGS) for _ in range(2))
    for run in (whole, half):
        run.train_epoch(lambda: None)
    resumed = run_of(tiny_data, recipe, "egrr_cifar100", EGRR_ARGS)
    resumed.load_state_dict(copy.deepcopy(half.state_dict()))
    for run in (whole, resumed):
        run.train_epoch(lambda: None)
    for (name, one), other in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_half_precision_trains(tiny_data, tmp_path):
    recipe = override(QUICK, {"precision": "bf16", "schedule.epochs": 6})
    summary = train("groupnorm_net", tiny_data, recipe, tmp_path)
    rows = rows_of(tmp_path)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert summary["recipe"]["precision"] == "bf16"


def test_the_average_follows_weights_and_buffers(tiny_data):
    """A step moves all of them the same share of the way to the model."""
    run = run_of(tiny_data, override(STEADY, {"ema_decay": 0.5}), "simplecnn_mnist")
    seen = []
    run.train_epoch(lambda: seen.append(copy.deepcopy((run.averaged.state_dict(), run.model.state_dict()))))
    (before, _), (average, model) = seen[2:4]
    for name in ("stem.0.conv.weight", "stem.0.bn.running_mean", "head.fc.weight"):
        share = ((average[name] - before[name]) / (model[name] - before[name])).median()
        assert 0.49 < share < 0.8, name  # 1 - decay, and the decay warms up
        torch.testing.assert_close(average[name], before[name].lerp(model[name], share), rtol=1e-3, atol=1e-5)


def test_the_average_is_what_is_saved(tiny_data, tmp_path):
    kept = {}

    class Spy(Run):
        def train_epoch(self, after_step):
            kept["run"] = self
            return super().train_epoch(after_step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinynets.engine.loop._train.Run", Spy)
        train("simplecnn_mnist", tiny_data, override(STEADY, {"ema_decay": 0.9}), tmp_path)
    saved = load_checkpoint(tmp_path / "last.safetensors")[0].state_dict()
    averaged, raw = kept["run"].averaged.state_dict(), kept["run"].model.state_dict()
    for name in ("stem.0.conv.weight", "stem.0.bn.running_var", "head.fc.weight"):
        assert torch.equal(saved[name], averaged[name])
        assert not torch.equal(saved[name], raw[name])


def test_depth_and_temperature_follow_the_recipe(tiny_data):
    recipe = override(EVERYTHING, {"schedule.epochs": 10})
    run = run_of(tiny_data, recipe, "egrr_cifar100", EGRR_ARGS)
    seen = []
    for _ in range(10):
        run.train_epoch(lambda: seen.append((run.model.stages[1].active_steps, float(run.model.stages[0].gate.tau))))
    depths, taus = zip(*seen, strict=True)
    assert depths[0] == 1
    assert depths[-1] == 3
    assert list(depths) == sorted(depths)
    assert taus[0] == pytest.approx(1.0)
    assert list(taus) == sorted(taus, reverse=True)
    assert taus[-1] == pytest.approx(0.1, rel=0.05)


def test_recomputed_norms_match_the_clean_images(tiny_data):
    model = tinynets.create_model("c1c2c3c4o_cifar10", num_classes=3, in_chans=1, drop_rate=0.5)
    normalize = Normalize((0.3,), (0.3,))
    images = tiny_data.train_images[:64]
    momentum = model.stem.bn.momentum
    model.train()
    update_bn(model, images, normalize, 16)
    x = nn.functional.conv2d(normalize(images), model.stem.conv.weight, padding=1)
    torch.testing.assert_close(model.stem.bn.running_mean, x.mean((0, 2, 3)), rtol=1e-3, atol=1e-5)
    within = torch.stack([part.var((0, 2, 3)) for part in x.split(16)]).mean(0)
    torch.testing.assert_close(model.stem.bn.running_var, within, rtol=1e-3, atol=1e-5)
    assert model.stem.bn.momentum == momentum
    assert all(module.training for module in model.modules())


def test_bn_images_change_the_last_weights_only_in_their_statistics(tiny_data, tmp_path):
    recipe = override(QUICK, {"ema_decay": 0.9})
    train("simplecnn_mnist", tiny_data, recipe, tmp_path / "as it was")
    train("simplecnn_mnist", tiny_data, override(recipe, {"bn_images": 72}), tmp_path / "anew")
    one, other = (
        load_checkpoint(tmp_path / name / "last.safetensors")[0].state_dict() for name in ("as it was", "anew")
    )
    changed = {name for name in one if not torch.equal(one[name], other[name])}
    assert changed
    assert all("running" in name or "num_batches" in name for name in changed)


def test_validation_split_of_the_data_set(tiny_data, tmp_path):
    data = dataclasses.replace(tiny_data, val_images=tiny_data.test_images[:10], val_labels=tiny_data.test_labels[:10])
    summary = train("groupnorm_net", data, QUICK, tmp_path)
    assert (summary["train_images"], summary["val_images"]) == (96, 10)


def test_early_stopping(tiny_data, tmp_path):
    recipe = override(QUICK, {"schedule.epochs": 30, "schedule.patience": 3, "optimizer.lr": 1e-12})
    summary = train("groupnorm_net", tiny_data, recipe, tmp_path)
    scores = [row["val_top1"] for row in rows_of(tmp_path)]
    assert len(scores) - 1 - scores.index(max(scores)) == 3
    resumed = train("groupnorm_net", tiny_data, recipe, tmp_path, resume=True)
    assert resumed["last"]["epoch"] == summary["last"]["epoch"]
    with pytest.raises(ValueError, match=r"schedule\.patience needs validation images: val_size \(0\) leaves none"):
        train("groupnorm_net", tiny_data, override(recipe, {"val_size": 0}), tmp_path / "without")


def test_muon_orthogonalizes_in_the_precision_asked_for():
    gradient = torch.linalg.qr(torch.randn(24, 24)).Q + 0.1 * torch.randn(24, 24)
    layers = [nn.Linear(24, 24, bias=False) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    steps = []
    for layer, precision in zip(layers, ("fp32", "bf16"), strict=True):
        before = layer.weight.detach().clone()
        optimizer = create_optimizer(layer, Optimizer("muon", lr=0.1, weight_decay=0.0, muon_precision=precision))
        layer.weight.grad = gradient.clone()
        optimizer.step()
        steps.append(before - layer.weight.detach())
    assert (steps[0] - steps[1]).norm() / steps[0].norm() < 0.05
    assert not torch.equal(*steps)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_muon_is_timms(precision):
    """The same steps, up to rounding; timm's iterates in bf16."""
    ours = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, groups=16), nn.Conv2d(16, 6, 1), nn.BatchNorm2d(6))
    theirs = copy.deepcopy(ours)
    recipe = Optimizer("muon", lr=0.02, momentum=0.9, weight_decay=0.1, muon_precision=precision)
    optimizers = create_optimizer(ours, recipe), create_optimizer_v2(theirs, "muon", 0.02, 0.1, momentum=0.9)
    for _ in range(3):
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6 if precision == "bf16" or p.ndim < 2 else 3e-3)

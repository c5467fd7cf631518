import dataclasses

import pytest
import torch
from support import QUICK
from torch.nn import functional as F

import tinynets
from tinynets.engine import Checkpoint, Distill, load_trained, override, read_recipe, save_checkpoint, train
from tinynets.engine.loop import DistributedContext, Run, model_for_data
from tinynets.engine.loop.loss import TrainingLoss, balanced_weights, distillation, load_teacher


def test_distillation_image_by_image():
    student, teacher = torch.randn(6, 5), torch.randn(6, 5)
    expected = 0.0
    for s, t in zip(student, teacher, strict=True):
        p, q = (t / 3).softmax(0), (s / 3).softmax(0)
        expected += 9 * (p * (p / q).log()).sum() / 6
    torch.testing.assert_close(distillation(student, teacher, Distill(temperature=3.0)), expected)


def test_standardized_logits_are_shift_and_scale_invariant():
    student, teacher = torch.randn(6, 5), torch.randn(6, 5)
    distill = Distill(kind="logit_std", temperature=2.0)
    loss = distillation(student, teacher, distill)
    torch.testing.assert_close(distillation(3 * student + 1, 0.2 * teacher - 4, distill), loss)
    z = [(x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True) for x in (student, teacher)]
    torch.testing.assert_close(loss, distillation(*z, Distill(temperature=2.0)))
    assert distillation(2 * teacher, teacher, distill) < 1e-6


def test_balanced_weights_let_every_class_count_alike():
    labels = torch.tensor([0] * 6 + [1] * 3 + [3] * 3)
    weights = balanced_weights(labels, 5)
    torch.testing.assert_close(weights, torch.tensor([2 / 3, 4 / 3, 0, 4 / 3, 0]))
    torch.testing.assert_close(weights[labels].mean(), torch.tensor(1.0))


def test_weighted_loss(tiny_data):
    logits, labels, x = torch.randn(8, 3), torch.tensor([0, 0, 0, 0, 0, 1, 1, 2]), torch.randn(8, 1, 8, 8)
    weights = balanced_weights(labels, 3)
    recipe = override(QUICK, {"class_weights": "balanced"})
    loss = TrainingLoss(recipe, tiny_data, torch.device("cpu"), weights)
    each = F.cross_entropy(logits, labels, reduction="none") * weights[labels]
    torch.testing.assert_close(loss(logits, labels, x), each.mean())
    torch.testing.assert_close(loss(logits, F.one_hot(labels, 3).float(), x), each.mean())  # as after mixing
    halves = (loss(logits[:4], labels[:4], x[:4]) + loss(logits[4:], labels[4:], x[4:])) / 2
    torch.testing.assert_close(halves, each.mean())  # however a batch is split over processes


def test_weights_are_those_of_the_images_that_are_trained_on(tiny_data):
    kept = (tiny_data.train_labels != 1) | (torch.arange(96) < 24)
    images, labels = tiny_data.train_images[kept], tiny_data.train_labels[kept]
    data = dataclasses.replace(tiny_data, train_images=images, train_labels=labels)
    recipe = override(QUICK, {"class_weights": "balanced", "val_size": 0.25})
    model, _ = model_for_data("simplecnn_mnist", data, recipe, None)
    run = Run(model, data, recipe, DistributedContext(0, 1, torch.device("cpu")))
    torch.testing.assert_close(run.loss_function.class_weights, torch.tensor([54 / 72, 54 / 18, 54 / 72]))
    with pytest.raises(ValueError, match="unknown class_weights 'even'"):
        override(QUICK, {"class_weights": "even"})
    empty = dataclasses.replace(data, train_images=images[:0], train_labels=labels[:0])
    with pytest.raises(ValueError, match="stripes has no training images: it can only be used for evaluation"):
        Run(model, empty, recipe, DistributedContext(0, 1, torch.device("cpu")))


def test_cross_entropy_alone_and_blended(tiny_data):
    logits, labels, x = torch.randn(6, 3), torch.arange(6) % 3, torch.randn(6, 1, 8, 8)
    plain = TrainingLoss(override(QUICK, {"label_smoothing": 0.2}), tiny_data, torch.device("cpu"))
    torch.testing.assert_close(plain(logits, labels, x), F.cross_entropy(logits, labels, label_smoothing=0.2))
    plain.teacher, plain.distill = (
        lambda images: images.mean((2, 3)).expand(-1, 3) * torch.arange(3.0),
        Distill(weight=0.7),
    )
    teacher_logits = x.mean((2, 3)) * torch.arange(3.0)
    expected = 0.3 * F.cross_entropy(logits, labels, label_smoothing=0.2) + 0.7 * distillation(
        logits, teacher_logits, plain.distill
    )
    torch.testing.assert_close(plain(logits, labels, x), expected)


def test_a_teacher_gets_its_own_normalization(tiny_data, tmp_path, caplog):
    model = tinynets.create_model("simplecnn_mnist", num_classes=3, img_size=8).eval()
    args = {"num_classes": 3, "img_size": 8}
    save_checkpoint(
        tmp_path / "t.safetensors",
        model,
        Checkpoint("simplecnn_mnist", args, "s", (0.1,), (0.7,), tiny_data.class_names),
    )
    teacher = load_teacher(str(tmp_path / "t.safetensors"), tiny_data, torch.device("cpu"))
    pixels = torch.rand(4, 1, 8, 8)
    teacher_logits = model((pixels - 0.1) / 0.7)
    torch.testing.assert_close(teacher((pixels - 0.3) / 0.3), teacher_logits, rtol=1e-4, atol=1e-4)

    turned = dataclasses.replace(tiny_data, class_names=tiny_data.class_names[::-1])
    teacher = load_teacher(str(tmp_path / "t.safetensors"), turned, torch.device("cpu"))
    torch.testing.assert_close(teacher((pixels - 0.3) / 0.3), teacher_logits.flip(1), rtol=1e-4, atol=1e-4)
    nameless = Checkpoint("simplecnn_mnist", args, "s", (0.1,), (0.7,), ())
    save_checkpoint(tmp_path / "nameless.safetensors", model, nameless)
    load_teacher(str(tmp_path / "nameless.safetensors"), turned, torch.device("cpu"))
    assert "are unknown: they are assumed in the data's order" in caplog.text
    other = dataclasses.replace(tiny_data, class_names=("top", "left", "bottom"))
    with pytest.raises(ValueError, match=r"was trained on other classes \(top, \.\.\.\) than stripes"):
        load_teacher(str(tmp_path / "t.safetensors"), other, torch.device("cpu"))


def test_a_teacher_sees_images_of_its_own_size(tiny_data, tmp_path, caplog):
    caplog.set_level("INFO")
    model = tinynets.create_model("simplecnn_mnist", num_classes=3, img_size=16).eval()
    args = {"num_classes": 3, "img_size": 16}
    metadata = Checkpoint("simplecnn_mnist", args, "s", (0.3,), (0.3,), tiny_data.class_names, (16, 16))
    save_checkpoint(tmp_path / "t.safetensors", model, metadata)
    teacher = load_teacher(str(tmp_path / "t.safetensors"), tiny_data, torch.device("cpu"))
    assert "images are resized from (8, 8) to (16, 16) for distill.teacher" in caplog.text
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(teacher(x), model(F.interpolate(x, (16, 16), mode="bilinear")))


def test_a_student_learns_from_a_teacher_alone(tiny_data, tmp_path):
    """weight 1: no label reaches the student."""
    train("c1c2c3c4o_cifar10", tiny_data, override(QUICK, {"schedule.epochs": 6}), tmp_path / "teacher")
    recipe = override(
        QUICK,
        {
            "schedule.epochs": 10,
            "distill.teacher": str(tmp_path / "teacher/last.safetensors"),
            "distill.weight": 1.0,
            "mixing.mixup": 0.3,
        },
    )
    for kind in ("kd", "logit_std"):
        summary = train("simplecnn_mnist", tiny_data, override(recipe, {"distill.kind": kind}), tmp_path / kind)
        assert summary["last"]["test_top1"] > 90


def test_a_timm_model_as_teacher(tiny_data, tmp_path):
    train("test_resnet", tiny_data, override(QUICK, {"schedule.epochs": 1}), tmp_path / "teacher")
    teacher = load_teacher(str(tmp_path / "teacher"), tiny_data, torch.device("cpu"))
    itself = load_trained(tmp_path / "teacher").model
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(teacher(x), itself.eval()(x), rtol=1e-4, atol=1e-4)
    recipe = override(QUICK, {"schedule.epochs": 1, "distill.weight": 1.0})
    losses = [
        train("simplecnn_mnist", tiny_data, override(recipe, settings), tmp_path / str(index))["last"]["train_loss"]
        for index, settings in enumerate([{}, {"distill.teacher": str(tmp_path / "teacher")}])
    ]
    assert losses[0] != losses[1]


def test_a_run_with_a_teacher_resumes_from_any_directory(tiny_data, tmp_path, monkeypatch):
    train(
        "c1c2c3c4o_cifar10",
        tiny_data,
        override(QUICK, {"schedule.epochs": 1, "schedule.warmup_epochs": 0}),
        tmp_path / "t",
    )
    monkeypatch.chdir(tmp_path)
    recipe = override(QUICK, {"distill.teacher": "t/last.safetensors"})
    first = train("simplecnn_mnist", tiny_data, recipe, tmp_path / "run")
    assert train("simplecnn_mnist", tiny_data, recipe, tmp_path / "run", resume=True)["last"] == first["last"]
    (tmp_path / "run/summary.json").unlink()
    monkeypatch.chdir("/")
    again = train(
        "simplecnn_mnist", tiny_data, read_recipe(tmp_path / "run/recipe.json"), tmp_path / "run", resume=True
    )
    assert again["last"] == first["last"]


def test_a_teacher_for_other_images_is_refused(tiny_data):
    with pytest.raises(ValueError, match=r"distill\.teacher simplecnn_mnist expects 1-channel images of 10 classes"):
        load_teacher("simplecnn_mnist", tiny_data, torch.device("cpu"))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_teacher_runs_in_the_recipes_precision(tiny_data, precision):
    objective = TrainingLoss(override(QUICK, {"precision": precision}), tiny_data, torch.device("cpu"))
    objective.teacher, types = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)), []
    objective.teacher.register_forward_hook(lambda module, args, output: types.append(output.dtype))
    loss = objective(torch.randn(4, 3), torch.arange(4) % 3, torch.randn(4, 1, 8, 8))
    assert types == [torch.bfloat16 if precision == "bf16" else torch.float32]
    assert loss.dtype == torch.float32

import json
from dataclasses import replace

import pytest

from tinynets.engine import (
    Augment,
    Distill,
    Mixing,
    Optimizer,
    Recipe,
    Recursion,
    Schedule,
    get_recipe,
    list_recipes,
)
from tinynets.engine.recipes import recipe_from_dict
from tinynets.weights import read_manifest


def test_every_model_has_its_recipes(name):
    published = [] if name.startswith("mote") else ["original"]  # no published recipe
    assert list_recipes(name) == ["default", "digits", "finetune", *published]
    assert all(isinstance(get_recipe(name, which), Recipe) for which in list_recipes(name))


def test_the_published_recipes():
    simple = get_recipe("simplecnn_mnist", "original")
    assert (simple.optimizer.name, simple.optimizer.lr, simple.batch_size) == ("adam", 0.002, 64)
    assert simple.schedule == Schedule(epochs=1, warmup_epochs=0, min_lr=1e-6, cosine_epochs=5, kind="cosine")
    assert simple.augment == Augment()
    optimized = get_recipe("optimized200k_cifar10", "original")
    assert (optimized.optimizer.lr, optimized.optimizer.weight_decay, optimized.clip_grad) == (0.05, 1e-4, 1.0)
    assert (optimized.mixing.mixup, optimized.mixing.cutmix, optimized.mixing.ricap) == (0.3, 0.3, 0.2)
    assert (optimized.label_smoothing, optimized.ema_decay) == (0.1, 0.999)
    egrr = get_recipe("egrr_cifar100", "original")
    assert (egrr.recursion.depth_warmup_epochs, egrr.schedule.epochs) == (20, 200)
    assert egrr.recursion.tau_end == 0.1
    assert egrr.augment.policy == "autoaugment"


def test_recipes_are_plain_data_and_do_not_change():
    recipe = get_recipe("egrr_cifar100")
    assert json.loads(json.dumps(recipe.to_dict()))["augment"]["flip"] is True
    with pytest.raises(AttributeError):
        recipe.seed = 3


def test_digits_are_never_mirrored():
    for which in ("digits", "finetune", "default", "original"):
        assert not get_recipe("simplecnn_mnist", which).augment.flip
    assert get_recipe("c1c2c3c4o_cifar10", "finetune").augment.flip
    assert get_recipe("resnet18").augment.flip
    assert not get_recipe("resnet18", "digits").augment.flip


def test_unknown_names():
    with pytest.raises(ValueError, match="unknown model 'egrr'"):
        get_recipe("egrr")
    with pytest.raises(ValueError, match="unknown recipe of simplecnn_mnist 'orginal': did you mean original"):
        get_recipe("simplecnn_mnist", "orginal")
    with pytest.raises(ValueError, match="unknown recipe of resnet18 'original'"):
        get_recipe("resnet18", "original")


def test_recipes_go_by_full_names():
    assert get_recipe("mote_100k") == get_recipe("mote_100k.cifar10") != get_recipe("mote_25k")
    assert list_recipes("mote_100k") == list_recipes("mote_100k.cifar10") == ["default", "digits", "finetune"]


def test_third_party_models_have_recipes_too():
    assert list_recipes("resnet18.a1_in1k") == ["default", "digits", "finetune"]
    assert get_recipe("resnet18.a1_in1k") == get_recipe("vit_tiny_patch16_224") == get_recipe("hf-hub:somebody/net")
    assert get_recipe("resnet18", "finetune") == get_recipe("egrr_cifar100", "finetune")
    assert not get_recipe("resnet18", "digits").augment.flip


@pytest.mark.parametrize("full_name", [n for n, w in read_manifest().items() if "started_from" not in w.metadata])
def test_a_default_recipe_is_that_of_the_weights(full_name):
    shipped, default = recipe_from_dict(read_manifest()[full_name].metadata["recipe"]), get_recipe(full_name)
    own = {field: getattr(default, field) for field in ("distill", "precision", "val_size", "seed")}
    assert replace(shipped, **own) == default


def test_a_default_recipe_has_nothing_of_one_run():
    for name, epochs, kind in (("egrr_cifar100", 160, "warmup_cosine"), ("simplecnn_mnist", 150, "cosine")):
        recipe = get_recipe(name)
        assert (recipe.schedule.epochs, recipe.schedule.kind) == (epochs, kind)
        assert (recipe.distill, recipe.precision, recipe.val_size, recipe.seed) == (Distill(), "fp32", 0.1, 0)
        assert get_recipe(name, "finetune").schedule.kind == "warmup_cosine"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Recipe(batch_size=0), "batch_size must be at least 1, got 0"),
        (lambda: Recipe(batch_size="128"), "batch_size must be an integer, got '128'"),
        (lambda: Recipe(batch_size=True), "batch_size must be an integer, got True"),
        (lambda: Recipe(val_size=1.0), r"val_size must be in \[0, 1\), got 1.0"),
        (lambda: Recipe(label_smoothing=-0.1), "label_smoothing"),
        (lambda: Recipe(ema_decay=1), "ema_decay"),
        (lambda: Recipe(seed=-1), "seed"),
        (lambda: Recipe(seed=1.5), "seed must be an integer"),
        (lambda: Recipe(drop_rate=1.0), "drop_rate"),
        (lambda: Recipe(drop_rate="none"), "drop_rate must be a finite number or none"),
        (lambda: Recipe(precision="fp8"), "unknown precision 'fp8'"),
        (lambda: Augment(flip=1), r"augment\.flip must be true or false, got 1"),
        (lambda: Recipe(optimizer={"lr": 1}), "optimizer must be Optimizer"),
        (lambda: Optimizer("sdg"), r"unknown optimizer\.name 'sdg': did you mean sgd"),
        (lambda: Optimizer(lr=0), r"optimizer\.lr must be above 0"),
        (lambda: Optimizer(lr=float("nan")), r"optimizer\.lr must be a finite number, got nan"),
        (lambda: Optimizer(momentum=1), r"optimizer\.momentum"),
        (lambda: Optimizer(weight_decay=-1), r"optimizer\.weight_decay"),
        (lambda: Optimizer("adamw", momentum=0.9), r"adamw does not use optimizer\.momentum, got 0\.9: omit it"),
        (lambda: Optimizer("adam", muon_precision="fp32"), r"adam does not use optimizer\.muon_precision, got 'fp32'"),
        (lambda: Recipe(freeze="stem"), "unknown freeze 'stem'"),
        (
            lambda: Recipe(freeze="backbone", bn_images=1),
            "bn_images recomputes batch norm statistics",
        ),
        (lambda: Schedule(epochs=0), r"schedule\.epochs"),
        (lambda: Schedule(epochs=3, warmup_epochs=3), r"schedule\.warmup_epochs \(3\) must be below"),
        (lambda: Schedule(epochs=3, cosine_epochs=2), r"schedule\.cosine_epochs"),
        (lambda: Schedule(kind="linear"), r"unknown schedule\.kind 'linear'"),
        (lambda: Optimizer(muon_precision="fp16"), r"unknown optimizer\.muon_precision 'fp16'"),
        (lambda: Augment(pad=-1), r"augment\.pad"),
        (lambda: Augment(pad_mode="edge"), r"unknown augment\.pad_mode 'edge'"),
        (lambda: Augment(scale=1.5), r"augment\.scale"),
        (lambda: Augment(policy="randaugment"), r"unknown augment\.policy"),
        (lambda: Augment(hsv_prob=2), r"augment\.hsv_prob must be a probability"),
        (lambda: Mixing(mixup=0.6, cutmix=0.6), r"mixing\.mixup \+ mixing\.cutmix \+ mixing\.ricap must be at most 1"),
        (
            lambda: Recipe(mixing=Mixing(off_epoch=31)),
            r"mixing\.off_epoch \(31\) must not be above schedule\.epochs \(30\)",
        ),
        (lambda: Recursion(tau_end=0), r"recursion\.tau_end"),
        (lambda: Recipe(recursion=Recursion(depth_warmup_epochs=31)), r"recursion\.depth_warmup_epochs \(31\)"),
        (lambda: Distill(kind="hard"), r"unknown distill\.kind"),
        (lambda: Distill(weight=1.1), r"distill\.weight"),
        (lambda: Distill(teacher="simplecnn_mnist", views=-1), r"distill\.views must be at least 0"),
        (lambda: Distill(views=8), r"distill\.views \(8\) needs distill\.teacher"),
    ],
)
def test_contradictions_name_the_field(build, message):
    with pytest.raises(ValueError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)

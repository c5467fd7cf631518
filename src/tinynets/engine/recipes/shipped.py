"""The recipes shipped with the package, by model.

- "default": for the data set in the model's name. For a model with weights in the package it is the recipe in their
  manifest, with the defaults of `distill`, `precision`, `val_size` and `seed`, unless they continue other weights.
- "digits": for the small embedded data set.
- "finetune": for pretrained weights.
- "original": the published recipe; where it omits a value, the usual one of its time.

Recipes of weights that were trained with the older schedule "cosine" retain it, so that their logs can be reproduced. A
teacher is part of the command, not of the recipe. Motes and models from outside this package have "default", "digits"
and "finetune".
"""

from dataclasses import replace

import timm

from tinynets._checks import unknown
from tinynets.models import full_name
from tinynets.weights import Weights, find_weights, list_weights

from .overrides import recipe_from_dict
from .schema import Augment, Mixing, Optimizer, Recipe, Recursion, Schedule

_MOTE = Recipe(
    batch_size=128,
    optimizer=Optimizer("muon", lr=0.01, momentum=0.95, weight_decay=0.02, muon_precision="fp32"),
    augment=Augment(pad=4, pad_mode="reflect", flip=True),
    ema_decay=0.999,
    bn_images=5000,
)

_DIGITS = Recipe(
    batch_size=16,
    optimizer=Optimizer("adamw", lr=8e-3, weight_decay=0.01),
    schedule=Schedule(epochs=20, warmup_epochs=2),
    augment=Augment(rotate=10, scale=0.1, shift=0.05),
    ema_decay=0.99,
)

_FINETUNE = Recipe(
    batch_size=32,
    optimizer=Optimizer("adamw", lr=3e-3, weight_decay=0.01),
    schedule=Schedule(epochs=20, min_steps=400, warmup_epochs=1),
    augment=Augment(pad=4, pad_mode="reflect", flip=True, scale=0.2, shift=0.05, contrast=0.2, brightness=0.2),
    label_smoothing=0.1,
    ema_decay=0.99,
)

_ANY = Recipe(
    batch_size=32,
    optimizer=Optimizer("adamw", lr=1e-3, weight_decay=0.05),
    schedule=Schedule(epochs=50, warmup_epochs=2.5),
    augment=Augment(flip=True, shift=0.1, scale=0.1),
    ema_decay=0.99,
)

_SHIFT_SCALE_ROTATE = Augment(flip=True, shift=0.0625, scale=0.1, rotate=15, affine_prob=0.5)

_RECIPES: dict[str, dict[str, Recipe]] = {
    "c1c2c3c4o_cifar10": {
        "original": Recipe(
            batch_size=128,
            optimizer=Optimizer("adam", lr=1e-3, weight_decay=0.0),
            schedule=Schedule(epochs=25, warmup_epochs=0, kind="cosine"),
            augment=replace(_SHIFT_SCALE_ROTATE, cutout=16, cutout_prob=0.5),
        ),
    },
    "ecnet_cifar10": {
        "original": Recipe(
            batch_size=128,
            optimizer=Optimizer("sgd", lr=0.1, weight_decay=5e-4),
            schedule=Schedule(epochs=200, warmup_epochs=0, kind="cosine"),
            augment=Augment(pad=4, flip=True),
        ),
    },
    "egrr_cifar100": {
        "original": Recipe(
            batch_size=128,
            optimizer=Optimizer("sgd", lr=0.1, weight_decay=5e-4),
            schedule=Schedule(epochs=200, warmup_epochs=5, kind="cosine"),
            augment=Augment(pad=4, flip=True, policy="autoaugment", cutout=16),
            recursion=Recursion(depth_warmup_epochs=20, tau_end=0.1),
            label_smoothing=0.1,
            clip_grad=5.0,
            drop_rate=0.1,
        ),
    },
    "mote_s2_450k.tiny_imagenet": {
        "default": replace(
            _MOTE,
            schedule=Schedule(epochs=40, warmup_epochs=1),
            augment=replace(_MOTE.augment, pad=8, scale=0.2, affine_prob=0.5, brightness=0.2, contrast=0.2),
            label_smoothing=0.1,
        )
    },
    "optimized200k_cifar10": {
        "default": replace(
            _MOTE,
            schedule=Schedule(epochs=100, warmup_epochs=2),
            mixing=Mixing(cutmix=0.5, ramp_epochs=25, off_epoch=94),
            drop_rate=0.0,
        ),
        "original": Recipe(
            batch_size=128,
            optimizer=Optimizer("sgd", lr=0.05, weight_decay=1e-4),
            schedule=Schedule(epochs=200, warmup_epochs=5, patience=50, kind="cosine"),
            augment=replace(
                _SHIFT_SCALE_ROTATE,
                contrast=0.2,
                brightness=0.2,
                light_prob=0.5,
                hue=20,
                saturation=0.12,
                value=0.08,
                hsv_prob=0.5,
                cutout=8,
                cutout_prob=0.3,
            ),
            mixing=Mixing(mixup=0.3, cutmix=0.3, ricap=0.2),
            label_smoothing=0.1,
            ema_decay=0.999,
            clip_grad=1.0,
            drop_rate=0.2,
        ),
    },
    "simplecnn_mnist": {
        "original": Recipe(
            batch_size=64,
            optimizer=Optimizer("adam", lr=2e-3, weight_decay=0.0),
            schedule=Schedule(epochs=1, warmup_epochs=0, min_lr=1e-6, cosine_epochs=5, kind="cosine"),
        ),
    },
}


def get_recipe(model: str, name: str = "default") -> Recipe:
    """Return a shipped recipe of a model; models from outside this package share generic ones.

    Args:
        model: name of a tinynets or timm model.
        name: one of `list_recipes(model)`.

    Returns:
        The recipe.

    Raises:
        ValueError: the model is unknown, or has no recipe of that name.

    Examples:
        >>> from tinynets.engine import get_recipe
        >>> get_recipe("simplecnn_mnist").schedule.epochs
        150
    """
    model = full_name(model)
    ours = [*_RECIPES, *list_weights()]
    if model not in ours and ":" not in model and not timm.is_model(model):  # timm resolves hf-hub:user/model
        raise unknown("model", model, ours)
    if name not in list_recipes(model):
        raise unknown(f"recipe of {model}", name, list_recipes(model))
    if name == "finetune":
        digits = model == "simplecnn_mnist"  # digits must not be flipped
        return replace(_FINETUNE, augment=_DIGITS.augment) if digits else _FINETUNE
    if name == "digits":
        return _DIGITS if model in ours else replace(_ANY, augment=_DIGITS.augment)
    recipe = _RECIPES.get(model, {}).get(name)
    if recipe is None and (weights := find_weights(model)):
        return _of_weights(weights)
    return recipe or _ANY


def _of_weights(weights: Weights) -> Recipe:
    """Return the recipe that weights were trained with, without what belongs to that run alone."""
    plain = {name: getattr(Recipe(), name) for name in ("distill", "precision", "val_size", "seed")}
    return replace(recipe_from_dict(weights.metadata["recipe"]), **plain)


def list_recipes(model: str) -> list[str]:
    """List the names of a model's recipes, sorted.

    Args:
        model: name of a model.

    Returns:
        The names.

    Examples:
        >>> from tinynets.engine import list_recipes
        >>> list_recipes("egrr_cifar100")
        ['default', 'digits', 'finetune', 'original']
    """
    return sorted({"default", "digits", "finetune", *_RECIPES.get(full_name(model), ())})

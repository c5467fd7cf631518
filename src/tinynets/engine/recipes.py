"""The recipes we ship, by model.

"default" is ours for the data the model is named after, "digits" for the small embedded set, "seed" the founding
document's.
"""

import dataclasses

from tinynets._checks import unknown

from .recipe import Augment, Optimizer, Recipe, Schedule

_CIFAR = Recipe(
    batch_size=128,
    optimizer=Optimizer("sgd", lr=0.2, weight_decay=5e-4),
    schedule=Schedule(epochs=30, warmup_epochs=2),
    augment=Augment(pad=4, flip=True),
)

_RECURSIVE = dataclasses.replace(_CIFAR, optimizer=Optimizer("sgd", lr=0.1, weight_decay=1e-4))

_DIGITS = Recipe(
    batch_size=16,
    optimizer=Optimizer("adamw", lr=8e-3, weight_decay=0.01),
    schedule=Schedule(epochs=20, warmup_epochs=2),
    augment=Augment(rotate=10, scale=0.1, shift=0.05),
    ema_decay=0.99,
)

_RECIPES: dict[str, dict[str, Recipe]] = {
    "c1c2c3c4o_cifar10": {"default": _CIFAR, "digits": _DIGITS},
    "ecnet_cifar10": {"default": _RECURSIVE, "digits": _DIGITS},
    "egrr_cifar100": {"default": _RECURSIVE, "digits": _DIGITS},
    "optimized200k_cifar10": {"default": _CIFAR, "digits": _DIGITS},
    "simplecnn_mnist": {
        "default": Recipe(
            batch_size=128,
            optimizer=Optimizer("sgd", lr=0.1, weight_decay=5e-4),
            schedule=Schedule(epochs=60, warmup_epochs=2),
            augment=Augment(rotate=10, scale=0.1, shift=0.08, shear=8),
            ema_decay=0.999,
        ),
        "digits": _DIGITS,
        "seed": Recipe(
            batch_size=64,
            optimizer=Optimizer("adam", lr=2e-3, weight_decay=0.0),
            schedule=Schedule(epochs=1, warmup_epochs=0, min_lr=1e-6, cosine_epochs=5),
        ),
    },
}


def get_recipe(model: str, name: str = "default") -> Recipe:
    """A shipped recipe.

    Raises:
        ValueError: the model has no recipe, or none of that name.
    """
    if model not in _RECIPES:
        raise unknown("model", model, _RECIPES)
    if name not in _RECIPES[model]:
        raise unknown(f"recipe of {model}", name, _RECIPES[model])
    return _RECIPES[model][name]


def list_recipes(model: str) -> list[str]:
    """Names of a model's recipes."""
    return sorted(_RECIPES.get(model, ()))

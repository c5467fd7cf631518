"""Conversion of recipes from and to plain values, and overriding of their fields."""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from timm.optim import list_optimizers

from tinynets._checks import unknown

from .schema import Optimizer, Recipe
from .section import Section


def recipe_from_dict(values: Mapping[str, Any]) -> Recipe:
    """Create a recipe from the dictionaries of `Recipe.to_dict`, with defaults for missing fields.

    Args:
        values: fields and sections by name.

    Returns:
        The recipe.

    Raises:
        ValueError: a field is unknown, a value has the wrong type, or values contradict each other.

    Examples:
        >>> from tinynets.engine.recipes import recipe_from_dict
        >>> recipe_from_dict({"batch_size": 64, "schedule": {"epochs": 10}}).batch_size
        64
    """
    return override(Recipe(), values)


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a JSON file, such as a run's recipe.json.

    Args:
        path: the file.

    Returns:
        The recipe.

    Raises:
        ValueError: the file is not a JSON object, or not a recipe.

    Examples:
        >>> from pathlib import Path
        >>> from tinynets.engine import read_recipe
        >>> size = Path("recipe.json").write_text('{"batch_size": 64}')
        >>> read_recipe("recipe.json").batch_size
        64
    """
    try:
        values = json.loads(Path(path).read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): pass a recipe.json") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} contains no JSON object: pass a recipe.json")
    return recipe_from_dict(values)


def override(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return a copy of a recipe with some values replaced.

    All values are replaced at once and may come in any order. If the optimizer changes, options that the new one does
    not support are reset to their defaults. A new schedule.epochs resets schedule.min_steps.

    Args:
        recipe: the recipe.
        values: new values by field or "section.field", or mappings of fields by section.

    Returns:
        The new recipe.

    Raises:
        ValueError: a field is unknown, or a value is invalid.

    Examples:
        >>> from tinynets.engine import get_recipe, override
        >>> recipe = override(get_recipe("simplecnn_mnist"), {"optimizer.lr": 0.02, "batch_size": 64})
        >>> recipe.optimizer.lr, recipe.batch_size
        (0.02, 64)
    """
    nested: dict[str, dict[str, Any]] = {}
    plain: dict[str, Any] = {}
    for key, value in values.items():
        section, dot, name = str(key).partition(".")
        if section not in _FIELDS:
            raise unknown("recipe field", key, _paths())
        if section not in _SECTIONS:
            if dot:
                raise unknown("recipe field", key, _paths())
            plain[section] = value
            continue
        if not dot and not isinstance(value, Mapping):
            raise ValueError(
                f"{section} is a section: set a field such as {section}.{_SECTIONS[section][0]}, got {value!r}"
            )
        for inner, inner_value in ({name: value} if dot else value).items():
            if inner not in _SECTIONS[section]:
                raise unknown("recipe field", f"{section}.{inner}", _paths())
            nested.setdefault(section, {})[inner] = inner_value
    if "name" in (changes := nested.get("optimizer", {})) and changes["name"] in map(str, list_optimizers()):
        unsupported = Optimizer.unsupported_options(changes["name"])
        nested["optimizer"] = {name: getattr(Optimizer, name) for name in unsupported} | changes
    if "epochs" in (changes := nested.get("schedule", {})):
        nested["schedule"] = {"min_steps": 0} | changes
    sections = {name: dataclasses.replace(getattr(recipe, name), **values) for name, values in nested.items()}
    return dataclasses.replace(recipe, **plain, **sections)


def check_effect(recipe: Recipe, names: Iterable[str]) -> None:
    """Raise ValueError for a field among names that has no effect because the feature that it configures is off."""
    values = _flat(recipe)
    values["mixing"] = recipe.mixing.any
    for name in names:
        if (needs := _REQUIRES.get(name)) and values[name] and not values[needs]:
            raise ValueError(f"{name} has no effect without {needs}: set it too, or omit {name}")


_REQUIRES = {
    **dict.fromkeys(("distill.kind", "distill.weight", "distill.temperature"), "distill.teacher"),
    "augment.cutout_prob": "augment.cutout",
    **dict.fromkeys(("mixing.ramp_epochs", "mixing.off_epoch"), "mixing"),
    "augment.pad_mode": "augment.pad",
}


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Parse settings of the form "section.field=value", as in the command line's `--set`.

    A value is JSON or "none"; anything else is a string.

    Args:
        settings: the settings.

    Returns:
        Values by field, for `override`.

    Raises:
        ValueError: a setting has no "=".

    Examples:
        >>> from tinynets.engine.recipes import parse_settings
        >>> parse_settings(["optimizer.lr=0.1", "augment.flip=true"])
        {'optimizer.lr': 0.1, 'augment.flip': True}
    """
    values = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"--set {setting} must be FIELD=VALUE, such as optimizer.weight_decay=1e-4")
        key = key.strip()
        if (usual := _ABBREVIATIONS.get(key.rpartition(".")[2])) and key not in _paths():
            raise ValueError(f"unknown recipe field {key!r}: did you mean {usual}?")
        values[key] = parse_value(text.strip())
    return values


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    """Return a copy of a recipe with another number of epochs, scaling warm-ups, ramps and the end of mixing.

    The result has no minimum number of steps.

    Args:
        recipe: the recipe.
        epochs: the new number of epochs.

    Returns:
        The new recipe.

    Raises:
        ValueError: epochs is not positive.

    Examples:
        >>> from tinynets.engine import get_recipe, with_epochs
        >>> with_epochs(get_recipe("c1c2c3c4o_cifar10"), 50).schedule.warmup_epochs
        1.0
    """
    s, m, r = recipe.schedule, recipe.mixing, recipe.recursion
    ratio = epochs / s.epochs
    return dataclasses.replace(
        recipe,
        schedule=dataclasses.replace(
            s,
            epochs=epochs,
            min_steps=0,
            warmup_epochs=s.warmup_epochs * ratio,
            cosine_epochs=None if s.cosine_epochs is None else max(s.cosine_epochs, epochs),
        ),
        mixing=dataclasses.replace(m, ramp_epochs=m.ramp_epochs * ratio, off_epoch=m.off_epoch * ratio),
        recursion=dataclasses.replace(r, depth_warmup_epochs=r.depth_warmup_epochs * ratio),
    )


def with_min_steps(recipe: Recipe, steps: int) -> Recipe:
    """Return a recipe whose epochs reach schedule.min_steps, which is reset.

    Args:
        recipe: the recipe.
        steps: number of steps per epoch.

    Returns:
        The recipe without a minimum number of steps, and with more epochs if they were too few.

    Examples:
        >>> from tinynets.engine import get_recipe
        >>> from tinynets.engine.recipes import with_min_steps
        >>> with_min_steps(get_recipe("c1c2c3c4o_cifar10", "finetune"), 10).schedule.epochs
        40
    """
    least = math.ceil(recipe.schedule.min_steps / steps)
    return with_epochs(recipe, max(least, recipe.schedule.epochs)) if least else recipe


def differences(one: Recipe, other: Recipe) -> dict[str, tuple[Any, Any]]:
    """Compare two recipes.

    Args:
        one: a recipe.
        other: another recipe.

    Returns:
        Both values of every differing field, by "section.field".

    Examples:
        >>> from tinynets.engine import Recipe
        >>> from tinynets.engine.recipes import differences
        >>> differences(Recipe(batch_size=64), Recipe(seed=1))
        {'batch_size': (64, 128), 'seed': (0, 1)}
    """
    left, right = _flat(one), _flat(other)
    return {key: (left[key], right[key]) for key in left if left[key] != right[key]}


def _flat(recipe: Recipe) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in recipe.to_dict().items():
        flat |= {f"{name}.{inner}": v for inner, v in value.items()} if name in _SECTIONS else {name: value}
    return flat | {"optimizer.momentum": recipe.optimizer.used_momentum}  # None is equivalent to 0.9


def parse_value(text: str) -> Any:
    """Parse a value from the command line: JSON, or one of none, true and false; anything else is a string."""
    if text.lower() in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return text


_ABBREVIATIONS = {
    "wd": "optimizer.weight_decay",
    "weight_decay": "optimizer.weight_decay",
    "learning_rate": "optimizer.lr",
    "lr": "optimizer.lr",
    "bs": "batch_size",
    "epochs": "schedule.epochs",
}


def _paths() -> list[str]:
    return [f"{s}.{n}" for s, names in _SECTIONS.items() for n in names] + [n for n in _FIELDS if n not in _SECTIONS]


_FIELDS = [f.name for f in dataclasses.fields(Recipe)]
_SECTIONS = {
    f.name: [inner.name for inner in dataclasses.fields(getattr(Recipe(), f.name))]
    for f in dataclasses.fields(Recipe)
    if isinstance(getattr(Recipe(), f.name), Section)
}

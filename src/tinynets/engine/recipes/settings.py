"""Recipes from and to plain values: dictionaries, `section.field=text` settings, another length."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from timm.optim import list_optimizers

from tinynets._checks import unknown

from .schema import Optimizer, Recipe
from .section import Section


def recipe_from_dict(values: Mapping[str, Any]) -> Recipe:
    """The inverse of `Recipe.to_dict`; fields that are not named keep their defaults.

    Older versions wrote momentum 0.9, their default, for every optimizer: it is left out for those that have none.

    Raises:
        ValueError: an unknown field, a value of the wrong type, or values that contradict each other.
    """
    optimizer = values.get("optimizer")
    if isinstance(optimizer, Mapping) and optimizer.get("momentum") == 0.9 and "adamw_lr" not in optimizer:
        name = optimizer.get("name", Optimizer.name)
        if name in map(str, list_optimizers()) and "momentum" in Optimizer.ignored(name):
            values = {**values, "optimizer": {**optimizer, "momentum": None}}
    return override(Recipe(), values)


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a JSON file, such as a run's recipe.json.

    Raises:
        ValueError: the file is no JSON object, or `recipe_from_dict` refuses what it says.
    """
    try:
        values = json.loads(Path(path).read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): name a recipe.json") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no JSON object: name a recipe.json")
    return recipe_from_dict(values)


def override(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with some values replaced; keys are fields, "section.field", or a section with a mapping.

    Everything is replaced at once, so that values which only fit together can be given in any order. Another optimizer
    takes no option over that it has no use for.
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
            raise ValueError(f"{section} must be a section such as {section}.{_SECTIONS[section][0]}, got {value!r}")
        for inner, inner_value in ({name: value} if dot else value).items():
            if inner not in _SECTIONS[section]:
                raise unknown("recipe field", f"{section}.{inner}", _paths())
            nested.setdefault(section, {})[inner] = inner_value
    if "name" in (changes := nested.get("optimizer", {})) and changes["name"] in map(str, list_optimizers()):
        ignored = Optimizer.ignored(changes["name"])
        nested["optimizer"] = {name: getattr(Optimizer, name) for name in ignored} | changes
    sections = {name: dataclasses.replace(getattr(recipe, name), **values) for name, values in nested.items()}
    return dataclasses.replace(recipe, **plain, **sections)


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """["optimizer.lr=0.1", "augment.flip=true"] as {"optimizer.lr": 0.1, "augment.flip": True}.

    Values are JSON, "none" is null, and what is neither is a text.
    """
    values = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"--set {setting} must be FIELD=VALUE, such as optimizer.weight_decay=1e-4")
        values[key.strip()] = _parse(text.strip())
    return values


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe at another length: warm-ups, ramps and the clean tail keep their share of the run."""
    s, m, r, z = recipe.schedule, recipe.mixing, recipe.recursion, recipe.resize
    share = epochs / s.epochs
    return dataclasses.replace(
        recipe,
        schedule=dataclasses.replace(
            s,
            epochs=epochs,
            warmup_epochs=s.warmup_epochs * share,
            cosine_epochs=None if s.cosine_epochs is None else max(s.cosine_epochs, epochs),
        ),
        mixing=dataclasses.replace(m, ramp_epochs=m.ramp_epochs * share, clean_epochs=m.clean_epochs * share),
        resize=dataclasses.replace(z, delay_epochs=z.delay_epochs * share, finetune_epochs=z.finetune_epochs * share),
        recursion=dataclasses.replace(r, depth_warmup_epochs=r.depth_warmup_epochs * share),
    )


def differences(one: Recipe, other: Recipe) -> dict[str, tuple[Any, Any]]:
    """Fields in which two recipes differ, as {"section.field": (one's, other's)}."""
    left, right = _flat(one), _flat(other)
    return {key: (left[key], right[key]) for key in left if left[key] != right[key]}


def _flat(recipe: Recipe) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in recipe.to_dict().items():
        flat |= {f"{name}.{inner}": v for inner, v in value.items()} if name in _SECTIONS else {name: value}
    return flat | {"optimizer.momentum": recipe.optimizer.inertia}  # None and 0.9 are the same


def _parse(text: str) -> Any:
    if text.lower() in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _paths() -> list[str]:
    return [f"{s}.{n}" for s, names in _SECTIONS.items() for n in names] + [n for n in _FIELDS if n not in _SECTIONS]


_FIELDS = [f.name for f in dataclasses.fields(Recipe)]
_SECTIONS = {
    f.name: [inner.name for inner in dataclasses.fields(getattr(Recipe(), f.name))]
    for f in dataclasses.fields(Recipe)
    if isinstance(getattr(Recipe(), f.name), Section)
}

from .overrides import differences, override, parse_settings, read_recipe, recipe_from_dict, with_epochs, with_min_steps
from .schema import Augment, Distill, Mixing, Optimizer, Recipe, Recursion, Schedule
from .shipped import get_recipe, list_recipes

__all__ = [
    "Augment",
    "Distill",
    "Mixing",
    "Optimizer",
    "Recipe",
    "Recursion",
    "Schedule",
    "differences",
    "get_recipe",
    "list_recipes",
    "override",
    "parse_settings",
    "read_recipe",
    "recipe_from_dict",
    "with_epochs",
    "with_min_steps",
]

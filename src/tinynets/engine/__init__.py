"""What trains and evaluates the models: recipes, data, augmentation, the loop."""

from .augment import Augmenter
from .checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .data import ImageData, list_data, load_data
from .evaluate import evaluate
from .recipe import Augment, Optimizer, Recipe, Schedule
from .recipes import get_recipe, list_recipes
from .train import train

__all__ = [
    "Augment",
    "Augmenter",
    "Checkpoint",
    "ImageData",
    "Optimizer",
    "Recipe",
    "Schedule",
    "evaluate",
    "get_recipe",
    "list_data",
    "list_recipes",
    "load_checkpoint",
    "load_data",
    "save_checkpoint",
    "train",
]

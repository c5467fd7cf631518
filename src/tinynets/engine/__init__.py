"""Training and evaluation: recipes, data, augmentation, the training loop, checkpoints."""

from .augment import Augmenter, Normalize
from .data import ImageData, list_data, load_data, read_image, read_images
from .evaluation import calibration_bins, confusion_matrix, evaluate, predict
from .loop import train
from .recipes import (
    Augment,
    Distill,
    Mixing,
    Optimizer,
    Recipe,
    Recursion,
    Schedule,
    get_recipe,
    list_recipes,
    override,
    read_recipe,
    with_epochs,
)
from .record import Checkpoint, load_checkpoint, read_metrics, save_checkpoint
from .trained import Trained, load_trained, match_data

__all__ = [
    "Augment",
    "Augmenter",
    "Checkpoint",
    "Distill",
    "ImageData",
    "Mixing",
    "Normalize",
    "Optimizer",
    "Recipe",
    "Recursion",
    "Schedule",
    "Trained",
    "calibration_bins",
    "confusion_matrix",
    "evaluate",
    "get_recipe",
    "list_data",
    "list_recipes",
    "load_checkpoint",
    "load_data",
    "load_trained",
    "match_data",
    "override",
    "predict",
    "read_image",
    "read_images",
    "read_metrics",
    "read_recipe",
    "save_checkpoint",
    "train",
    "with_epochs",
]

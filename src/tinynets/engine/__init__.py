"""Training and evaluation: recipes, data, augmentation, the training loop, checkpoints."""

from .augment import Augmenter, Draws, Mixer
from .data import ImageData, list_data, list_images, load_data, printable, read_image, read_images, wrong_polarity
from .evaluation import TTA, calibration_bins, confusion_matrix, evaluate, figures, predict, shift_consistency
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
    parse_settings,
    read_recipe,
    recipe_from_dict,
    with_epochs,
)
from .record import Checkpoint, RunDir, load_checkpoint, read_metrics, save_checkpoint
from .trained import Trained, load_trained, match_data

__all__ = [
    "Augment",
    "Augmenter",
    "Checkpoint",
    "Distill",
    "Draws",
    "ImageData",
    "Mixer",
    "Mixing",
    "Optimizer",
    "Recipe",
    "Recursion",
    "RunDir",
    "Schedule",
    "TTA",
    "Trained",
    "calibration_bins",
    "confusion_matrix",
    "evaluate",
    "figures",
    "get_recipe",
    "list_data",
    "list_images",
    "list_recipes",
    "load_checkpoint",
    "load_data",
    "load_trained",
    "match_data",
    "override",
    "parse_settings",
    "predict",
    "printable",
    "read_image",
    "read_images",
    "read_metrics",
    "read_recipe",
    "recipe_from_dict",
    "save_checkpoint",
    "shift_consistency",
    "train",
    "with_epochs",
    "wrong_polarity",
]
